"""The parts of the examples that decide, without a radio."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import data_io
import race

from ble_cli.programs.reporter import Reporter
from ble_cli.scan.sighting import Sighting
from ble_cli.transfer import flow
from ble_driver import BLEDevice


def device(rssi: int | None, name: str | None = "bob") -> BLEDevice:
    return BLEDevice("C0:00:00:00:00:01", name, rssi)


def test_only_what_changes_notably_is_shown() -> None:
    sighting = Sighting(device(-60), 0.0)
    assert sighting.heard(device(-60), 0.0) == "found"
    assert [sighting.heard(device(rssi, None), 1.0) for rssi in (-75, -50, -60, None)] == [None] * 4
    assert [sighting.heard(device(-80), 2.0 + n) for n in range(6)].count("signal") == 1
    assert sighting.heard(device(-80, "carol"), 9.0) == "name"
    assert sighting.heard(device(-80, "carol"), 20.0) == "back after 11 s"
    assert sighting.details(21.0)["last_heard"] == 1.0
    assert sighting.details(21.0)["first_heard"] == 21.0


class Wire:
    """Two transfers, each the peer of the other; what they send waits here."""

    def __init__(self, size: int) -> None:
        self.told: list[object] = []
        self.waiting: deque[tuple[int, bytes]] = deque()
        reporter = Reporter(open_nowhere(), as_json=True)
        self.transfers = [
            data_io.Transfer(self._end(side), name, bytes(size), reporter, self.told.append)
            for side, name in enumerate(("alice", "bob"))
        ]
        for transfer in self.transfers:
            transfer.begin()

    def _end(self, side: int) -> Any:
        def send(packet: bytes) -> None:
            self.waiting.append((1 - side, packet))

        return SimpleNamespace(identity=bytes(16), process_outgoing=send)

    def deliver(self) -> int:
        """Deliver everything; return how many packets were under way at most."""
        most = 0
        while self.waiting:
            most = max(most, len(self.waiting))
            side, packet = self.waiting.popleft()
            self.transfers[side].take(packet)
        return most


def open_nowhere() -> Any:
    return SimpleNamespace(write=lambda _: None, flush=lambda: None)


def test_a_sender_is_never_more_than_a_window_ahead() -> None:
    wire = Wire(1 << 20)
    assert wire.deliver() < 2 * (flow.WINDOW + flow.WINDOW // flow.ACKNOWLEDGE_EVERY + 2)
    assert [type(told) for told in wire.told].count(data_io.Confirmed) == 2
    assert flow.WINDOW * (flow.CHUNK + 5) < 65_536


def test_a_lost_packet_is_noticed() -> None:
    wire = Wire(4000)
    while not wire.waiting[0][1].startswith(flow.DATA):
        side, packet = wire.waiting.popleft()
        wire.transfers[side].take(packet)
    wire.waiting.popleft()
    wire.deliver()
    refuted = [told.reason for told in wire.told if isinstance(told, data_io.Refuted)]
    assert "the hash does not match: 3520 of 4000 bytes arrived" in refuted[0]
    assert len([told for told in wire.told if isinstance(told, data_io.Confirmed)]) == 0


def test_packets_of_others_are_ignored() -> None:
    wire = Wire(1000)
    for nonsense in (b"", b"H", b"H[]", b'H{"text": 1}', b"D", b"A12", b"V{", b"\xff" * 9):
        wire.transfers[0].take(nonsense)
    wire.deliver()
    assert [type(told) for told in wire.told].count(data_io.Confirmed) == 2


def test_an_operation_in_progress_speaks_against_the_driver() -> None:
    checks = race.RaceChecks()
    checks.error("the peer did not answer")
    assert not any(checks.against.values())
    for error in ("org.bluez.Error.InProgress", "Operation already in progress"):
        checks.error(error)
    assert len(checks.against[race.NOT_REFUSED]) == 2
