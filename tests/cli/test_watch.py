"""`status` and `monitor`: what people and programs see of the nodes on a host."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from ble_cli.main import group
from ble_cli.watch import monitor
from ble_cli.watch.history import COURSE, History
from ble_cli.watch.words import duration, size, sparkline
from ble_driver import VirtualDispatcher
from ble_interface import BLEInterface, BLEPeerInterface
from ble_interface import status_socket as module
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir


class Deaf:
    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        pass


@pytest.fixture(autouse=True)
def no_nodes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A host without nodes, until a test adds some."""
    nodes: list[Any] = []
    for where in ("status", "monitor"):
        monkeypatch.setattr(f"ble_cli.watch.{where}.running_nodes", lambda: nodes)
    return nodes


class Told:
    """A node of this process, told without a socket."""

    def __init__(self, interface: BLEInterface, pid: int) -> None:
        self.interface, self.pid, self.path = interface, pid, Path(f"{interface.name}.sock")

    def read(self) -> dict[str, Any]:
        return json.loads(json.dumps(self.interface.get_status()))  # type: ignore[no-any-return]


@pytest.fixture
def pair() -> Iterator[tuple[BLEInterface, BLEInterface, VirtualDispatcher]]:
    air = VirtualAir(VirtualDispatcher(), seed=1)
    alice, bob = (BLEInterface(Deaf(), name, MockBLEDriver(air)) for name in ("alice", "bob"))
    alice.start(b"A" * 16)
    bob.start(b"B" * 16)
    assert isinstance(air.dispatcher, VirtualDispatcher)
    assert air.dispatcher.run_until(lambda: bool(alice.peers and bob.peers))
    yield alice, bob, air.dispatcher
    alice.stop()
    bob.stop()
    air.dispatcher.close()


Pair = tuple[BLEInterface, BLEInterface, VirtualDispatcher]


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(group, arguments, standalone_mode=False, env={"COLUMNS": "80", **environment})


def test_a_host_without_nodes(no_nodes: list[Any]) -> None:
    assert "no node runs here" in run("status").output
    assert run("status").return_value == 1
    assert json.loads(run("status", "--json").output) == {"nodes": []}
    assert run("monitor", "--seconds", "0").return_value == 1


def test_status_tells_of_peers(pair: Pair, no_nodes: list[Any]) -> None:
    no_nodes.append(Told(pair[0], 7))
    result = run("status")
    assert result.return_value == 0
    assert "alice (process 7) is 41414141 at 00:B1:E0" in result.output
    assert "42424242 at" in result.output
    assert all(len(line) <= 80 for line in result.output.splitlines())
    (node,) = json.loads(run("status", "--json").output)["nodes"]
    assert (node["pid"], node["name"], node["peers"][0]["identity"]) == (7, "alice", (b"B" * 16).hex())


def test_monitor_without_a_terminal_tells_changes_in_lines(
    pair: Pair, no_nodes: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, dispatcher = pair
    no_nodes.append(Told(alice, 7))

    def sleep(_: float) -> None:
        bob.stop()
        dispatcher.run_for(5.0)

    monkeypatch.setattr(time, "sleep", sleep)
    result = run("monitor", "--seconds", "2.5")
    assert result.return_value == 0
    assert "alice: the link to 42424242 is gone" in result.output
    assert "\x1b" not in result.output
    lines = [json.loads(line) for line in run("monitor", "--json", "--seconds", "1.5").output.splitlines()]
    assert all(line["nodes"][0]["name"] == "alice" for line in lines)
    assert len(lines) >= 1


def test_the_picture_fits_80_columns_and_needs_no_colour(pair: Pair) -> None:
    alice, _, dispatcher = pair
    history = History()
    for second in range(3 * COURSE):
        alice.peers[0].process_outgoing(bytes(500) * (second % 4 + 1))
        dispatcher.run_for(1.0)
        status = {"pid": 1234567, **json.loads(json.dumps(alice.get_status()))}
        history.look({"alice": status}, float(second))
    console = Console(width=80, force_terminal=True, no_color=True, highlight=False)
    with console.capture() as capture:
        console.print(monitor.picture({"alice": status}, history, 0.0))
    lines = capture.get().splitlines()
    (row,) = [line for line in lines if line.startswith("42424242")]
    assert "active" in row
    assert "…" not in capture.get()
    assert any(bar in row for bar in "▄▅▆▇█")
    assert "\x1b[3" not in capture.get()


def test_history_tells_what_changes() -> None:
    def node(*peers: dict[str, Any], failed: int = 0, dropped: int = 0) -> dict[str, Any]:
        return {
            "name": "n",
            "peers": list(peers),
            "failed_dials": failed,
            "totals": {"dropped": {"bad_frame": dropped} if dropped else {}},
        }

    def peer(**changes: Any) -> dict[str, Any]:
        plain = {"identity": "ab" * 16, "address": "A", "role": "central", "state": "active", "mtu": 23}
        return {**plain, "rssi": -60, "rx_bytes": 0, "tx_bytes": 0, **changes}

    history = History()
    assert history.look({}, 0.0) == []
    assert history.look({"1": node()}, 1.0) == ["n has come up"]
    assert history.look({"1": node(peer())}, 2.0) == ["n: abababab is linked at A, we are central"]
    assert history.look({"1": node(peer(rx_bytes=500, mtu=517))}, 4.0) == ["n: abababab has the ATT MTU 517"]
    course = history.peers["1", "ab" * 16]
    assert (course.rx_rate, list(course.rates), list(course.rssi)) == (250.0, [None, 250.0], [-60, -60])
    assert history.look({"1": node(failed=2, dropped=3)}, 5.0) == [
        "n: the link to abababab is gone",
        "n: 2 attempts to connect failed",
        "n: 3 dropped",
    ]
    assert history.peers == {}
    assert history.look({}, 6.0) == ["n is gone"]
    assert len(history.changes) == 7


def test_figures_in_words() -> None:
    assert [size(count) for count in (0, 999, 1000, 12_345, 999_600, 5e9)] == [
        "0 B", "999 B", "1.0 kB", "12.3 kB", "1.0 MB", "5.0 GB",
    ]  # fmt: skip
    assert [duration(seconds) for seconds in (5, 119, 120, 7200, 200_000)] == ["5 s", "119 s", "2 min", "2 h", "2 d"]
    assert sparkline([-200, -100, -70, -40, None], -100, -40) == "▁▁▅█ "


def test_the_socket_is_what_they_read(monkeypatch: pytest.MonkeyPatch, pair: Pair, no_nodes: list[Any]) -> None:
    serving = module.StatusSocket("alice", pair[0].get_status)
    no_nodes.append(module.NodeSocket(serving.path, 9))
    assert "alice (process 9)" in run("status").output
    serving.close()
    assert run("status").return_value == 1
