"""Ten thousand links, opened and ended as fast as that goes, on virtual time: nothing may grow."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import tracemalloc
from collections import Counter

import pytest

from ble_driver import VirtualDispatcher
from drivers.mock_ble_driver import Fault, MockBLEDriver, Step, VirtualAir
from tests.health.uuids import UUIDS

CYCLES = 10_000
#: Cycles before counting begins: caches fill.
WARM_UP = 500
#: Of so many attempts one is refused, one breaks, and one is given up by us.
FAILING = 10


class Cycler:
    """Opens a link as soon as the last one has ended, and ends it as soon as it is up: from this end, or from that."""

    def __init__(self, air: VirtualAir) -> None:
        self.driver, self.peer = MockBLEDriver(air), MockBLEDriver(air)
        self.counts: Counter[str] = Counter()
        for driver, identity in ((self.driver, b"A" * 16), (self.peer, b"B" * 16)):
            driver.set_identity(identity)
            driver.start(*UUIDS)
        self.peer.start_advertising()
        self.driver.start_scanning()
        self.driver.on_device_connected = self._connected
        self.driver.on_device_disconnected = self._ended
        self.driver.on_connection_failed = self._ended
        self._dial()

    @property
    def cycles(self) -> int:
        return self.counts["ended"]

    def _dial(self) -> None:
        self.driver.connect(self.peer.address)
        if self.cycles % FAILING == 0:
            self.driver.disconnect(self.peer.address)

    def _connected(self, address: str, _mtu: int) -> None:
        self.counts["connected"] += 1
        self.driver.send(address, b"hello")
        ender, other = (self.driver, self.peer) if self.cycles % 2 else (self.peer, self.driver)
        ender.disconnect(other.address)

    def _ended(self, _address: str, *_error: object) -> None:
        self.counts["ended"] += 1
        self._dial()


class Left:
    """What there is of everything that must not grow."""

    def __init__(self, dispatcher: VirtualDispatcher) -> None:
        gc.collect()
        self.threads = threading.active_count()
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.tasks = len(asyncio.all_tasks(dispatcher.loop))
        self.timers = len(dispatcher.loop._scheduled)  # type: ignore[attr-defined]
        self.bytes = tracemalloc.get_traced_memory()[0]


@pytest.fixture
def traced() -> object:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_ten_thousand_links_leave_nothing_behind() -> None:
    dispatcher = VirtualDispatcher()
    air = VirtualAir(dispatcher, seed=7)
    air.faults.add(Fault.REFUSE, Step.IDENTITY, probability=1 / FAILING)
    air.faults.add(Fault.DROP, Step.SUBSCRIBE, probability=1 / FAILING)
    cycler = Cycler(air)
    assert dispatcher.run_until(lambda: cycler.cycles >= WARM_UP, timeout=1e6)
    before = Left(dispatcher)
    assert dispatcher.run_until(lambda: cycler.cycles >= WARM_UP + CYCLES, timeout=1e6)
    after = Left(dispatcher)
    assert cycler.counts["connected"] > CYCLES / 2
    assert after.threads == before.threads
    assert after.descriptors == before.descriptors
    assert after.tasks <= before.tasks + 5  # what is under way at the moment
    assert after.timers <= before.timers + 100  # asyncio keeps some that were cancelled for a while
    assert after.bytes - before.bytes < 10 * CYCLES  # ten bytes for each; the smallest object has more
    assert len(cycler.driver.connecting_peers) <= 1
    assert cycler.driver.get_status()["recovery"]["driver_restarts"] == 0
    for driver in (cycler.driver, cycler.peer):
        driver.on_device_disconnected = driver.on_connection_failed = None
        driver.stop()
    dispatcher.close()
