"""What a node of a large mesh costs the simulator, to what one of a small mesh costs, which is as dense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from ble_driver import VirtualDispatcher
from ble_interface.simulate import Scenario
from ble_interface.simulate.mesh import BEGINNING, Mesh

from ._common import Figure, Row, in_turns, ratio

FEW, MANY = 50, 1000
#: How much more a node may cost among many.
LIMIT = 1.5
#: Seconds of virtual time after which all nodes have the links that they will have.
SETTLED = BEGINNING + 60.0
#: In each turn, nodes times seconds of virtual time; short, for what others do on the machine changes by the second.
NODE_SECONDS, TURNS = 10_000, 61


def rows(quick: bool) -> Iterator[Row]:
    """Let time pass in both meshes, in turns."""
    few, many = (4, 8) if quick else (FEW, MANY)
    node_seconds, turns, settled = (80, 3, 5.0) if quick else (NODE_SECONDS, TURNS, SETTLED)
    with ExitStack() as stack:

        def a_mesh(nodes: int) -> Callable[[], None]:
            dispatcher = stack.enter_context(VirtualDispatcher())
            Mesh(Scenario(nodes=nodes), dispatcher)  # lives on in the calls that the dispatcher has for it
            dispatcher.run_for(settled)
            return lambda: dispatcher.run_for(node_seconds / nodes)

        seconds = in_turns({"few": a_mesh(few), "many": a_mesh(many)}, turns)
    each = Figure.of([second / node_seconds * 1e6 for second in seconds["many"]])
    what = f"a node of {many} for a second of virtual time"
    yield Row("mesh", what, each, "us of CPU", ratio(seconds, "many", "few"), f"of a node of {few}", LIMIT)
