"""The storm: one peer is discovered over and over, from many threads, on real time."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ble_driver import BLEDevice
from ble_interface import BLEInterface
from drivers.mock_ble_driver import Fault, MockBLEDriver, Step, VirtualAir

THREADS, DISCOVERIES = 8, 10_000
#: Seconds for which the storm goes on: long enough for a second attempt.
STORM = 8.0


class Counted(MockBLEDriver):
    """A mock radio that writes down when it is told to connect, and how many attempts there are then."""

    def __init__(self, air: VirtualAir, **options: Any) -> None:
        super().__init__(air, **options)
        self.attempts: list[tuple[float, int]] = []

    def connect(self, address: str) -> None:
        super().connect(address)
        self.attempts.append((time.monotonic(), len(self.connecting_peers)))


class Owner:
    def inbound(self, packet: bytes, peer: object) -> None:
        """Nothing is sent here."""


def wait(condition: Callable[[], object], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def storm(driver: MockBLEDriver, device: BLEDevice, seconds: float) -> int:
    """Report the device from several threads, evenly over this many seconds; return how often."""
    calls = [0] * THREADS

    def report(index: int) -> None:
        pause = seconds * THREADS / DISCOVERIES
        for _ in range(DISCOVERIES // THREADS):
            assert driver.on_device_discovered is not None
            driver.on_device_discovered(device)
            calls[index] += 1
            time.sleep(pause)

    threads = [threading.Thread(target=report, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(calls)


@pytest.mark.parametrize("fails", [False, True])
def test_a_storm_of_discoveries_makes_one_attempt_at_a_time(fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    air = VirtualAir(advertising_interval=0.05, connect_delay=0.02, frame_time=0.001)
    driver, peer = Counted(air), MockBLEDriver(air)
    alice, bob = BLEInterface(Owner(), "alice", driver), BLEInterface(Owner(), "bob", peer)
    if fails:
        air.faults.add(Fault.DROP, Step.IDENTITY)
    alice.start(b"alice".ljust(16))
    bob.start(b"bob".ljust(16))
    try:
        device = BLEDevice(peer.address, None, -50, peer.local_address_type)
        assert storm(driver, device, STORM if fails else 2.0) == DISCOVERIES
        wait(lambda: driver.connecting_peers == [], 2)
        times = [at for at, _ in driver.attempts]
        if fails:
            assert len(times) >= 2
            assert all(later - earlier >= 5.0 for earlier, later in itertools.pairwise(times))
            assert alice.get_status()["links"] == {}
        else:
            assert len(times) == 1
            assert [p.identity for p in alice.peers] == [b"bob".ljust(16)]
            assert alice.get_status()["links"] == {"active": 1}
        assert all(attempts == 1 for _, attempts in driver.attempts)
        assert "in progress" not in caplog.text.lower()
    finally:
        alice.stop()
        bob.stop()
    assert driver.connecting_peers == []
