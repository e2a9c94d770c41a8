"""A callback that blocks for a minute: on the dispatcher's own thread, with a clock that the test sets."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from ble_driver import AsyncDispatcher, BaseDriver, BLEDriverError, DispatcherBlockedError, Link
from ble_driver.heartbeat import Heartbeat
from tests.health.uuids import UUIDS

from .clock import SOON, Clock, eventually


class IdleDriver(BaseDriver[Link]):
    """A driver whose radio does nothing."""

    local_address = None

    async def _open_radio(self) -> None: ...

    async def _close_radio(self) -> None: ...

    async def _set_scanning(self, on: bool) -> None: ...

    async def _set_advertising(self, on: bool) -> None: ...

    async def _open_link(self, address: str) -> Link:
        raise NotImplementedError

    async def _close_link(self, link: Link) -> None: ...

    async def _transmit(self, link: Link, frame: bytes, acknowledged: bool) -> None: ...


def block_for_a_minute(clock: Clock, entered: threading.Event, leave: threading.Event) -> None:
    entered.set()
    clock.now += 60.0
    leave.wait(SOON)


def test_a_blocked_dispatcher_is_named_in_the_log_at_once_and_told_when_it_is_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, told = Clock(), list[DispatcherBlockedError]()
    entered, leave = threading.Event(), threading.Event()
    dispatcher = AsyncDispatcher()
    dispatcher.start()
    heart = Heartbeat(dispatcher, told.append, beat=0.01, blocked=30.0, clock=clock)
    heart.start()
    with caplog.at_level(logging.ERROR):
        dispatcher.call_soon(block_for_a_minute, clock, entered, leave)
        assert entered.wait(SOON)
        assert eventually(lambda: heart.stalls)
        assert eventually(lambda: "in block_for_a_minute" in caplog.text)
    assert told == []  # nobody can be told on a dispatcher that is blocked
    leave.set()
    assert eventually(lambda: told)
    assert "nothing was done for 60 s, because a callback did not return" in str(told[0])
    assert "thread of its own" in str(told[0])
    time.sleep(0.05)  # five beats
    assert (len(told), heart.stalls) == (1, 1)
    leave.clear()
    entered.clear()
    dispatcher.call_soon(block_for_a_minute, clock, entered, leave)
    assert entered.wait(SOON)
    assert eventually(lambda: heart.stalls == 2)
    leave.set()
    heart.stop()
    dispatcher.close()
    assert "ble-watchdog" not in [thread.name for thread in threading.enumerate()]


def test_a_dispatcher_that_beats_is_left_alone_and_one_that_is_stopped_is_not_missed() -> None:
    clock, told = Clock(), list[DispatcherBlockedError]()
    dispatcher = AsyncDispatcher()
    dispatcher.start()
    heart = Heartbeat(dispatcher, told.append, beat=0.005, blocked=30.0, clock=clock)
    heart.start()
    for _ in range(20):
        clock.now += 5.0
        assert eventually(lambda: heart._last == clock.now)
    heart.stop()
    clock.now += 1000.0
    time.sleep(0.05)
    assert (heart.stalls, told) == (0, [])
    heart.start()
    time.sleep(0.05)
    assert (heart.stalls, told) == (0, [])
    heart.stop()
    dispatcher.close()


def test_a_driver_counts_what_blocked_it_tells_it_once_and_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()

    def quick(dispatcher: AsyncDispatcher, tell: Callable[[DispatcherBlockedError], object]) -> Heartbeat:
        return Heartbeat(dispatcher, tell, beat=0.01, blocked=30.0, clock=clock)

    monkeypatch.setattr("ble_driver.base_driver.health.Heartbeat", quick)
    driver, errors = IdleDriver(), list[BLEDriverError]()
    entered, leave = threading.Event(), threading.Event()
    driver.on_error = errors.append
    driver.start(*UUIDS)
    driver.dispatcher.call_soon(block_for_a_minute, clock, entered, leave)
    assert entered.wait(SOON)
    assert eventually(lambda: driver.get_status()["recovery"]["stalls"] == 1)
    leave.set()
    assert eventually(lambda: errors)
    assert isinstance(errors[0], DispatcherBlockedError)
    driver.start_scanning()
    assert eventually(lambda: driver.get_status()["state"] == ["scanning"])
    driver.stop()
    assert len(errors) == 1
    assert not {"ble-watchdog", "ble-dispatcher"} & {thread.name for thread in threading.enumerate()}


def test_stop_is_bounded_while_a_callback_blocks() -> None:
    driver, entered, leave = IdleDriver(), threading.Event(), threading.Event()
    driver.start(*UUIDS)
    driver.dispatcher.call_soon(block_for_a_minute, Clock(), entered, leave)
    assert entered.wait(SOON)
    begun = time.monotonic()
    threading.Timer(4.5, leave.set).start()  # the thread itself ends only with the callback
    driver.stop()
    assert time.monotonic() - begun < 5.5
    assert eventually(lambda: "ble-dispatcher" not in [thread.name for thread in threading.enumerate()])
