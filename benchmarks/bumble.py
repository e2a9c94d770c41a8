"""Two processes on the emulated radio, with all of HCI, L2CAP, ATT and GATT between them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from ._common import Figure, Row
from ._common.children import Child, a_radio, children

#: Bytes of a packet; how many go in each direction; and how often all is done.
PACKET, COUNT, TURNS = 500, 2000, 5


def rows(quick: bool) -> Iterator[Row]:
    """Measure goodput one way and both ways at once, and how soon a first packet arrives."""
    count, turns = (50, 1) if quick else (COUNT, TURNS)
    one_way: list[float] = []
    both_ways: list[float] = []
    linked: list[float] = []
    first: list[float] = []
    for _ in range(turns):
        with a_radio() as radio, children(*(interface_node(number, radio) for number in (1, 2))) as (alice, bob):
            on = max(node.expect("started")[0] for node in (alice, bob))
            linked.append(max(node.expect("up")[0] for node in (alice, bob)) - on)
            first.append(max(node.expect("heard")[0] for node in (alice, bob)) - on)
            one_way += [carry(count, PACKET, (alice, bob)), carry(count, PACKET, (bob, alice))]
            both_ways.append(carry(count, PACKET, (alice, bob), (bob, alice)))
    one, both = Figure.of(one_way).per(count * PACKET / 1e3), Figure.of(both_ways).per(2 * count * PACKET / 1e3)
    yield Row("bumble", f"{count} packets of {PACKET} B one way", one, "kB/s", 1.0, "of one way")
    yield Row("bumble", "as many both ways at once, together", both, "kB/s", both.median / one.median, "of one way")
    what = "from power-on of both to the first packet at both"
    ratio = statistics.median(first) / statistics.median(linked)
    yield Row("bumble", what, Figure.of(first), "s", ratio, "of the time to a link")


def interface_node(number: int, radio: str) -> tuple[str, ...]:
    """Return what starts one of the two nodes."""
    return ("-m", "benchmarks._programs.interface_node", str(number), radio, "8192")


def carry(count: int, size: int, *ways: tuple[Child, Child]) -> float:
    """Return the seconds until all packets have arrived that the one of each pair sends to the other."""
    begun = time.monotonic()
    for sender, _ in ways:
        sender.say(f"send {count} {size}")
    for _, receiver in ways:
        receiver.say(f"expect {count}")
    return max(receiver.expect("received", 300.0)[0] for _, receiver in ways) - begun
