"""The watchdog: on a clock that the test sets, except where threads are what is tested."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_driver import InvalidOptionError
from ble_driver.watchdog import Watchdog, WatchdogLevels

from .clock import SOON, Clock, eventually


def test_it_fires_once_per_starvation_and_again_after_a_feed() -> None:
    clock, bites = Clock(), list[float]()
    dog = Watchdog(60.0, clock=clock)
    dog.set_callback(lambda: bites.append(clock.now))
    for clock.now, expected in ((159.0, False), (160.0, True), (170.0, False), (1000.0, False)):
        assert dog.check() is expected
    dog.feed()
    for clock.now, expected in ((1059.0, False), (1061.0, True), (1062.0, False)):
        assert dog.check() is expected
    assert bites == [160.0, 1061.0]


@given(st.lists(st.tuples(st.sampled_from(["feed", "check"]), st.floats(0.0, 50.0))))
def test_bites_match_the_starvations(steps: list[tuple[str, float]]) -> None:
    clock = Clock()
    dog = Watchdog(30.0, clock=clock)
    fed, bitten = clock.now, False
    for step, seconds in steps:
        clock.now += seconds
        if step == "feed":
            dog.feed()
            fed, bitten = clock.now, False
        else:
            hungry = clock.now - fed >= 30.0
            assert dog.check() is (hungry and not bitten)
            bitten |= hungry


def test_a_raising_callback_is_logged_and_the_watch_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    clock, bites = Clock(), list[int]()

    def bad() -> None:
        bites.append(1)
        raise ValueError("on purpose")

    dog = Watchdog(1.0, 0.001, bad, clock=clock, name="dog")
    dog.start_in_thread()
    for n in (1, 2):
        clock.now += 2.0
        assert eventually(partial(lambda n: len(bites) == n, n))
        dog.feed()
    assert dog.stop(SOON)
    assert caplog.text.count("the callback of dog raised") == 2
    assert "on purpose" in caplog.text
    assert "dog has not been fed for 2.0 s" in caplog.text


def test_start_looks_once_and_then_sleeps_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[object] = []
    clock = Clock()
    dog = Watchdog(10.0, 7.5, clock=clock)
    dog.setCallback(lambda: happened.append("bite"))

    def wait(self: threading.Event, timeout: float | None = None) -> bool:
        happened.append(timeout)
        return self.is_set()

    monkeypatch.setattr(threading.Event, "wait", wait)
    clock.now += 10.0
    assert dog.start()
    assert happened == ["bite", 7.5]
    assert dog.start()
    assert happened == ["bite", 7.5, 7.5]
    dog.stop()
    dog.feed()
    clock.now += 10.0
    assert not dog.start()
    assert happened == ["bite", 7.5, 7.5]


def test_without_a_callback_there_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    dog = Watchdog(10.0, clock=clock)
    clock.now += 11.0
    with caplog.at_level(logging.WARNING):
        assert dog.check()
    assert "has not been fed for 11.0 s" in caplog.text


def test_the_thread_can_be_stopped_at_once_and_started_again() -> None:
    clock, bites = Clock(), list[int]()
    dog = Watchdog(10.0, 3600.0, lambda: bites.append(1), clock=clock, name="a dog")
    assert dog.stop()
    clock.now += 11.0  # before it begins to watch, nothing counts
    thread = dog.start_in_thread()
    assert dog.start_in_thread() is thread
    assert thread.daemon
    assert thread.name == "a dog"
    begun = time.monotonic()
    assert dog.stop(SOON)
    assert time.monotonic() - begun < SOON  # it does not sleep the hour out
    assert dog.stop()
    assert not thread.is_alive()
    again = dog.start_in_thread(daemon=False)
    assert again is not thread
    assert not again.daemon
    assert dog.stop(SOON)
    assert bites == []


def test_stop_is_bounded_while_the_callback_blocks_and_says_so() -> None:
    clock, entered, leave = Clock(), threading.Event(), threading.Event()
    bites = []

    def block() -> None:
        bites.append(1)
        entered.set()
        leave.wait(SOON)

    dog = Watchdog(1.0, 0.001, block, clock=clock)
    thread = dog.start_in_thread()
    clock.now += 2.0
    assert entered.wait(SOON)
    dog.feed()  # nothing that the callback does may hold this up
    begun = time.monotonic()
    assert not dog.stop(0.01)
    assert time.monotonic() - begun < 1.0
    clock.now += 2.0
    successor = dog.start_in_thread()  # while the old one is still busy
    clock.now += 2.0
    assert eventually(lambda: len(bites) == 2)
    leave.set()
    thread.join(SOON)
    assert not thread.is_alive()  # the new watch has not revived the old one
    assert dog.stop()
    assert not successor.is_alive()
    assert bites == [1, 1]


def test_it_may_be_stopped_from_its_own_callback() -> None:
    clock, ended = Clock(), list[bool]()
    dog = Watchdog(1.0, 0.001, clock=clock)
    dog.set_callback(lambda: ended.append(dog.stop()))
    thread = dog.start_in_thread()
    clock.now += 2.0
    thread.join(SOON)
    assert not thread.is_alive()
    assert ended == [False]
    assert dog.stop()


def test_many_threads_that_look_at_once_fire_once() -> None:
    clock, bites = Clock(), list[int]()
    dog = Watchdog(1.0, clock=clock)
    dog.set_callback(lambda: bites.append(1))
    gate = threading.Barrier(8)

    def look() -> None:
        gate.wait(SOON)
        for _ in range(200):
            dog.check()

    threads = [threading.Thread(target=look) for _ in range(8)]
    clock.now += 2.0
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert bites == [1]


def test_levels_are_reached_one_after_the_other_on_one_feed() -> None:
    clock, said = Clock(), list[str]()
    levels = {60.0: "critical", 30.0: "warning", 120.0: "emergency"}
    dogs = WatchdogLevels({after: partial(said.append, word) for after, word in levels.items()}, clock=clock)
    assert [dog.timeout for dog in dogs.watchdogs] == [30.0, 60.0, 120.0]
    for seconds, count in ((29, 0), (31, 1), (59, 0), (60, 1), (119, 0), (121, 1), (999, 0)):
        clock.now = 100.0 + seconds
        assert dogs.check() == count
    assert said == ["warning", "critical", "emergency"]
    dogs.feed()
    clock.now += 200.0
    assert dogs.check() == 3


def test_a_level_that_blocks_does_not_keep_the_next_one_from_firing() -> None:
    clock, entered, leave, emergency = Clock(), threading.Event(), threading.Event(), threading.Event()

    def warning() -> None:
        entered.set()
        leave.wait(SOON)

    dogs = WatchdogLevels({30.0: warning, 120.0: emergency.set}, 0.001, clock=clock)
    dogs.start_in_thread()
    clock.now += 40.0
    assert entered.wait(SOON)
    clock.now += 90.0
    assert emergency.wait(SOON)
    begun = time.monotonic()
    assert not dogs.stop(0.01)
    assert time.monotonic() - begun < 1.0
    leave.set()
    assert dogs.stop(SOON)


def test_a_level_may_stop_all() -> None:
    clock, ended = Clock(), list[bool]()
    dogs = WatchdogLevels(
        {1.0: lambda: ended.append(dogs.stop()), 2.0: lambda: ended.append(dogs.stop())}, 0.001, clock=clock
    )
    dogs.start_in_thread()
    clock.now += 3.0
    assert eventually(lambda: ended)
    assert dogs.stop(SOON)


@pytest.mark.parametrize("options", [{"timeout": 0.0}, {"interval": -1.0}])
def test_durations_are_above_zero(options: dict[str, float]) -> None:
    with pytest.raises(InvalidOptionError, match=next(iter(options))):
        Watchdog(timeout=options.get("timeout", 1.0), interval=options.get("interval", 1.0))
