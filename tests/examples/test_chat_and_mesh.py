"""The examples that people type into."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import mesh

from ble_driver import VirtualDispatcher
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir

from .running import EXAMPLES, Example

OnAir = tuple[str, ...]


def start(stack: ExitStack, directory: Path, script: str, name: str, on_air: OnAir) -> Example:
    program = (sys.executable, str(EXAMPLES / script))
    run = Example(directory, program, "--name", name, *on_air, stdin=subprocess.PIPE)
    stack.callback(run.close)
    return run


def type_line(run: Example, line: str) -> None:
    assert run.process.stdin is not None
    run.process.stdin.write(line + "\n")
    run.process.stdin.flush()


def test_two_people_chat(tmp_path: Path, on_air: OnAir) -> None:
    with ExitStack() as stack:
        alice, bob = (start(stack, tmp_path, "chat.py", name, on_air) for name in ("alice", "bob"))
        alice.expect("connected", name="bob")
        bob.expect("connected", name="alice")
        type_line(alice, "hello\x1b[2J")
        bob.expect("received", name="alice", text="hello?[2J")
        assert alice.end_by(signal.SIGINT)[0] == 0, alice
        bob.expect("disconnected", name="alice")
        assert bob.end_by(signal.SIGTERM)[0] == 0, bob


def test_every_node_of_a_mesh_hears_a_text_once(tmp_path: Path, on_air: OnAir) -> None:
    with ExitStack() as stack:
        nodes = [start(stack, tmp_path, "mesh.py", name, on_air) for name in ("alice", "bob", "carol")]
        for node in nodes:
            node.expect("connected")
        type_line(nodes[0], "hello")
        for node in nodes[1:]:
            node.expect("received", text="alice: hello")
        for node in nodes:
            assert node.end_by(signal.SIGINT)[0] == 0, node
        assert [len([event for event in node.events if event["event"] == "received"]) for node in nodes] == [0, 1, 1]


class Chain(VirtualAir):
    """An air on which each node hears only its neighbours."""

    def in_range(self, sender: MockBLEDriver, receiver: MockBLEDriver) -> bool:
        places = [int(node.address[-2:], 16) for node in (sender, receiver)]
        return super().in_range(sender, receiver) and abs(places[0] - places[1]) == 1


def test_a_text_goes_over_hops_and_is_heard_once() -> None:
    dispatcher = VirtualDispatcher()
    air = Chain(dispatcher, seed=1)
    heard: list[list[tuple[str, int]]] = [[] for _ in range(5)]
    nodes = []
    for place in range(5):

        def on_text(text: str, hops: int, place: int = place) -> None:
            heard[place].append((text, hops))

        node = mesh.Mesh(MockBLEDriver(air), on_text)
        node.interface.start(bytes([place]) * 16)
        nodes.append(node)
    neighbours = (1, 2, 2, 2, 1)
    assert dispatcher.run_until(lambda: tuple(len(node.interface.peers) for node in nodes) == neighbours)
    nodes[0].send("far away")
    dispatcher.run_for(5.0)
    assert heard == [[], *([("far away", hops)] for hops in (1, 2, 3, 4))]
    nodes[0].inbound(b"", nodes[0].interface.peers[0])
    nodes[0].inbound(bytes(8) + b"\xff" + b"too far", nodes[0].interface.peers[0])
    assert heard[0] == []
    for node in nodes:
        node.interface.stop()
    dispatcher.close()


def test_the_mesh_is_short_enough_to_read() -> None:
    assert len((EXAMPLES / "mesh.py").read_text().splitlines()) < 100
