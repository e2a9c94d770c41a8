"""Scanner and clients on one adapter, case by case; the interleavings are tried in the model beside this."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from ble_driver import BLEDriverError, DriverStateError, InvalidOptionError, VirtualDispatcher
from ble_driver.exclusive_control import ExclusiveControlManager, ExclusiveControlTimeoutError

T = TypeVar("T")
IDLE = {
    "enabled": True,
    "scanner_stopping": False,
    "client_connecting": False,
    "scan_ready": False,
    "exclusive_control_duration": 0.0,
}


class World:
    """A manager on virtual time, and what happened there."""

    def __init__(self) -> None:
        self.dispatcher = VirtualDispatcher()
        self.manager = ExclusiveControlManager()
        self.events: list[str] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.dispatcher.loop.run_until_complete(coroutine)

    def begin(self, coroutine: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        return self.dispatcher.loop.create_task(coroutine)

    async def client(self, name: str, seconds: float = 1.0, timeout: float | None = None) -> None:
        async with self.manager.client_operation(timeout):
            self.events.append(f"{name} on")
            await asyncio.sleep(seconds)
            self.events.append(f"{name} off")

    async def scanner(self, stop_takes: float = 0.5, passes: int = 1000) -> None:
        for _ in range(passes):
            async with self.manager.scan_pass(math.inf) as turn:
                self.events.append("scan on")
                await turn.wait_for_stop()
                await asyncio.sleep(stop_takes)
                self.events.append("scan off")


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.dispatcher.close()


# --- blocks ----------------------------------------------------------------------------------------------------------


def test_a_client_waits_until_the_scan_has_stopped_and_the_scan_until_the_client_is_done(world: World) -> None:
    world.begin(world.scanner())
    world.dispatcher.run_for(10.0)
    world.begin(world.client("A", 3.0))
    world.dispatcher.run_for(0.2)
    assert world.manager.is_scanner_stopping()
    assert world.manager.is_client_connecting()
    world.dispatcher.run_for(1.0)
    assert not world.manager.is_scanner_stopping()
    assert world.manager.is_client_connecting()
    world.dispatcher.run_for(10.0)
    assert world.events == ["scan on", "scan off", "A on", "A off", "scan on"]
    assert world.manager.get_status() == {**IDLE, "scan_ready": True}


def test_clients_are_served_in_order_and_a_waiting_scan_between_them(world: World) -> None:
    for name in "AB":
        world.begin(world.client(name))
    world.dispatcher.run_for(0.1)
    world.begin(world.scanner(passes=1))
    world.dispatcher.run_for(0.1)
    for name in "CD":
        world.begin(world.client(name))
    world.dispatcher.run_for(60.0)
    assert [e for e in world.events if e.endswith(" on")] == ["A on", "B on", "scan on", "C on", "D on"]


def test_several_scans_share_the_adapter_and_all_must_end_for_a_client(world: World) -> None:
    world.begin(world.scanner(stop_takes=1.0, passes=1))
    world.begin(world.scanner(stop_takes=2.0, passes=1))
    world.dispatcher.run_for(5.0)
    assert world.events == ["scan on", "scan on"]
    world.begin(world.client("A"))
    world.dispatcher.run_for(60.0)
    assert world.events[2:] == ["scan off", "scan off", "A on", "A off"]


@pytest.mark.parametrize("end", ["error", "cancelled", "cancelled while waiting", "timed out"])
def test_however_a_client_ends_the_next_one_gets_on(world: World, end: str) -> None:
    async def hold() -> None:
        async with world.manager.client_operation():
            await asyncio.sleep(5.0)
            raise ValueError("on purpose")

    first = world.begin(hold())
    second = world.begin(world.client("second", timeout=2.0 if end == "timed out" else None))
    world.begin(world.client("third"))
    world.dispatcher.run_for(0.5)
    if end == "cancelled":
        first.cancel()
    if end == "cancelled while waiting":
        second.cancel()
    world.dispatcher.run_for(30.0)
    if end != "cancelled":
        assert isinstance(first.exception(), ValueError)
    if end == "timed out":
        assert isinstance(second.exception(), ExclusiveControlTimeoutError)
        assert isinstance(second.exception(), TimeoutError)
        assert isinstance(second.exception(), BLEDriverError)
    served = [e for e in world.events if e.endswith(" on")]
    assert served == (["second on", "third on"] if end in ("error", "cancelled") else ["third on"])
    assert world.manager.get_status() == IDLE


def test_a_cancellation_in_the_moment_of_the_grant_is_neither_lost_nor_leaves_the_adapter_taken(world: World) -> None:
    entered = False

    async def waiter() -> None:
        nonlocal entered
        async with world.manager.client_operation():
            entered = True

    async def case() -> bool:
        async with world.manager.client_operation():
            task = asyncio.create_task(waiter())
            await asyncio.sleep(0)
        task.cancel()  # it has been granted, and has not run yet
        await asyncio.wait({task})
        return task.cancelled()

    assert world.run(case())
    assert not entered
    assert world.manager.get_status() == IDLE


def test_waits_that_end_by_time_leave_nothing_behind(world: World) -> None:
    async def poll() -> None:
        for _ in range(100):
            assert not await world.manager.wait_for_scan_ready(0.001)

    world.run(poll())
    assert not world.manager._waiting


def test_waits_are_bounded_by_the_completion_timeout_unless_told_otherwise(world: World) -> None:
    world.manager = ExclusiveControlManager(client_completion_timeout=7.0)
    world.begin(world.client("hangs", 10_000.0))
    world.dispatcher.run_for(0.1)
    begun = world.dispatcher.time()

    async def scan() -> None:
        async with world.manager.scan_pass():
            pass

    for use in (lambda: world.client("A"), scan, world.manager.get_operation_lock().acquire):
        with pytest.raises(ExclusiveControlTimeoutError, match="client turn, active"):
            world.run(use())
    assert world.dispatcher.time() - begun == pytest.approx(21.0)
    assert not world.run(world.manager.wait_for_client_completed())
    assert world.dispatcher.time() - begun == pytest.approx(28.0)
    assert not world.run(world.manager.wait_for_client_completed(0.0))
    assert world.dispatcher.time() - begun == pytest.approx(28.0)


def test_a_task_that_would_wait_for_itself_is_told_so(world: World) -> None:
    async def nest(outer: str, inner: str) -> None:
        async with getattr(world.manager, outer)(), getattr(world.manager, inner)():
            pass

    async def lock_in_scan() -> None:
        async with world.manager.scan_pass(), world.manager.get_operation_lock():
            pass

    async def lock_in_lock() -> None:
        async with world.manager.get_operation_lock(), world.manager.get_operation_lock():
            pass

    kinds = ("client_operation", "scan_pass")
    for case in (*(nest(a, b) for a in kinds for b in kinds), lock_in_scan(), lock_in_lock()):
        with pytest.raises(DriverStateError, match="wait for itself"):
            world.run(case)
        assert world.manager.get_status() == IDLE


def test_two_managers_know_nothing_of_each_other(world: World) -> None:
    other = ExclusiveControlManager()

    async def case() -> None:
        async with world.manager.client_operation(0.0), other.client_operation(0.0):
            assert world.manager.is_client_connecting()
        async with world.manager.client_operation(0.0):
            assert not other.is_client_connecting()

    world.run(case())


def test_one_manager_serves_one_loop_after_another() -> None:
    manager = ExclusiveControlManager()  # built where no loop runs
    events = manager.get_wait_events()

    async def contend() -> bool:
        async def hold() -> None:
            async with manager.client_operation():
                await asyncio.sleep(0.01)

        task = asyncio.create_task(hold())
        await asyncio.sleep(0)
        waiting = asyncio.create_task(manager.get_wait_events().client_completed.wait())
        await manager.wait_for_client_completed(5.0)
        await task
        return await waiting

    loops = [asyncio.new_event_loop() for _ in range(2)]
    assert loops[0].run_until_complete(contend())
    assert events.client_completed.is_set()
    assert loops[1].run_until_complete(contend())
    loops[1].close()
    assert loops[0].run_until_complete(contend())
    loops[0].close()
    assert asyncio.run(contend())


# --- calls -----------------------------------------------------------------------------------------------------------


def test_request_and_completions_without_any_loop() -> None:
    manager = ExclusiveControlManager()
    assert manager.get_status() == IDLE
    assert manager.notify_scan_ready()
    assert manager.get_status() == {**IDLE, "scan_ready": True}
    manager.request_scanner_stop()
    manager.request_scanner_stop()
    assert manager.is_scanner_stopping()
    assert manager.is_client_connecting()
    assert not manager.get_status()["scan_ready"]
    manager.notify_scan_completed()
    assert not manager.is_scanner_stopping()
    assert manager.is_client_connecting()
    manager.notify_client_completed()
    assert manager.get_status() == IDLE
    manager.notify_client_completed()
    manager.notify_scan_completed()
    assert manager.get_status() == IDLE


def test_until_a_scanner_is_known_only_its_answer_counts(world: World) -> None:
    async def case() -> None:
        world.manager.request_scanner_stop()
        assert world.manager.is_scanner_stopping()
        assert not await world.manager.wait_for_scan_completed(1.0)
        world.manager.notify_scan_completed()
        assert not world.manager.is_scanner_stopping()
        assert await world.manager.wait_for_scan_completed(1.0)  # set before the wait
        world.manager.notify_client_completed()
        world.manager.request_scanner_stop()  # and now it is known to be off
        assert await world.manager.wait_for_scan_completed(0.0)

    world.run(case())


def test_a_completion_before_the_wait_is_not_missed_and_none_counts_for_the_next_client(world: World) -> None:
    manager = world.manager

    async def case() -> None:
        first = manager.request_scanner_stop()
        manager.notify_client_completed(first)
        assert await manager.wait_for_client_completed(0.0)
        second = manager.request_scanner_stop()
        assert not await manager.wait_for_client_completed(1.0)
        manager.notify_client_completed(first)  # told twice
        assert not await manager.wait_for_client_completed(1.0)
        manager.notify_client_completed(second)
        assert await manager.wait_for_client_completed(0.0)

    world.run(case())


def test_a_scanner_that_waits_sleeps_through_two_clients_back_to_back(world: World) -> None:
    manager = world.manager

    async def scanner() -> None:
        assert await manager.wait_for_client_completed()
        world.events.append("may scan" if manager.notify_scan_ready() else "may not scan")

    async def case() -> None:
        first = manager.request_scanner_stop()
        task = asyncio.create_task(scanner())
        await asyncio.sleep(1.0)
        manager.notify_client_completed(first)
        second = manager.request_scanner_stop()  # before the scanner could wake
        assert not manager.notify_scan_ready()
        await asyncio.sleep(1.0)
        assert world.events == []
        manager.notify_client_completed(second)
        await task
        assert world.events == ["may scan"]

    world.run(case())


def test_a_scan_that_a_waiting_client_cuts_short_at_once_is_still_seen(world: World) -> None:
    manager = world.manager

    async def case() -> bool:
        assert not await manager.wait_for_scan_ready(0.5)
        waiting = asyncio.create_task(manager.wait_for_scan_ready(5.0))
        await asyncio.sleep(0.1)
        manager.notify_scan_ready()
        turn = manager.request_scanner_stop()
        manager.notify_scan_completed()
        manager.notify_client_completed(turn)
        return await waiting

    assert world.run(case())


def test_the_first_client_to_ask_is_the_first_to_be_told_that_the_scan_is_off(world: World) -> None:
    manager = world.manager

    async def client(name: str) -> None:
        turn = manager.request_scanner_stop()
        # A wrapper makes a task of its own before Python 3.12, so the turn says who asks.
        assert await asyncio.wait_for(manager.wait_for_scan_completed(turn=turn), 30.0)
        world.events.append(f"{name} on")
        await asyncio.sleep(1.0)
        world.events.append(f"{name} off")
        manager.notify_client_completed()

    manager.notify_scan_ready()
    for name in "AB":
        world.begin(client(name))
    world.dispatcher.run_for(1.0)
    assert world.events == []
    with pytest.raises(DriverStateError, match="hand over the turn"):
        world.run(manager.wait_for_scan_completed())
    manager.notify_scan_completed()
    world.dispatcher.run_for(10.0)
    assert world.events == ["A on", "A off", "B on", "B off"]
    assert manager.get_status() == IDLE


def test_a_completion_that_fits_several_clients_ends_none(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        world.manager.request_scanner_stop()

    for _ in range(2):
        world.run(ask())
    with caplog.at_level(logging.WARNING):
        world.manager.notify_client_completed()
    assert "several client turns" in caplog.text
    assert world.manager.is_client_connecting()


def test_inside_a_block_the_calls_have_nothing_left_to_do(world: World) -> None:
    async def case() -> None:
        async with world.manager.client_operation() as turn:
            assert world.manager.request_scanner_stop() is turn
            assert await world.manager.wait_for_scan_completed(0.0)
            world.manager.notify_client_completed()
            world.manager.notify_client_completed(turn)
            assert world.manager.is_client_connecting()

    world.run(case())
    assert world.manager.get_status() == IDLE


def test_events_show_what_is_so() -> None:
    manager = ExclusiveControlManager()
    events = manager.get_wait_events()

    def levels() -> tuple[bool, ...]:
        return tuple(event.is_set() for event in manager.get_wait_events())

    assert levels() == (False, False, True)
    manager.notify_scan_ready()
    assert levels() == (True, False, True)
    manager.request_scanner_stop()
    assert levels() == (False, False, False)
    manager.notify_scan_completed()
    assert levels() == (False, True, False)
    manager.notify_client_completed()
    assert levels() == (False, True, True)
    assert manager.get_wait_events() is events


# --- the operation lock ----------------------------------------------------------------------------------------------


def test_the_lock_keeps_clients_out_and_lets_the_scanner_be(world: World) -> None:
    async def holder() -> None:
        lock = world.manager.get_operation_lock()
        async with lock:
            assert lock.locked()
            world.events.append("lock on")
            await asyncio.sleep(2.0)
            assert world.manager.get_status()["scan_ready"]
            async with world.manager.client_operation():
                world.events.append("holder on")
            world.events.append("lock off")

    world.begin(world.scanner(passes=1))
    world.begin(holder())
    world.dispatcher.run_for(0.1)
    world.begin(world.client("A"))
    world.dispatcher.run_for(30.0)
    assert world.events == ["scan on", "lock on", "scan off", "holder on", "lock off", "A on", "A off"]
    assert not world.manager.get_operation_lock().locked()


def test_the_lock_may_be_taken_after_the_scanner_was_asked_to_stop(world: World) -> None:
    async def case() -> None:
        world.manager.request_scanner_stop()
        world.begin(world.client("A"))
        await asyncio.sleep(0.1)
        async with world.manager.get_operation_lock():
            world.manager.notify_scan_completed()
            assert await world.manager.wait_for_scan_completed(0.0)
            world.manager.notify_client_completed()
            await asyncio.sleep(5.0)
            assert world.events == []
        await asyncio.sleep(5.0)
        assert world.events == ["A on", "A off"]

    world.run(case())


def test_who_waits_for_the_scan_takes_the_lock_before_those_who_asked_later(world: World) -> None:
    async def case() -> None:
        world.manager.notify_scan_ready()
        turn = world.manager.request_scanner_stop()
        world.begin(world.client("A"))
        await asyncio.sleep(0.1)
        assert not turn.granted
        async with world.manager.get_operation_lock():
            world.manager.notify_scan_completed()
            assert turn.granted
            world.manager.notify_client_completed()
        await asyncio.sleep(5.0)
        assert world.events == ["A on", "A off"]

    world.manager.notify_scan_completed()
    world.run(case())


def test_a_lock_that_was_taken_away_opens_no_other(world: World) -> None:
    async def holder(name: str) -> None:
        async with world.manager.get_operation_lock():
            world.events.append(f"{name} locked")
            await asyncio.sleep(5.0)
            await world.client(name)
            world.events.append(f"{name} unlocked")

    world.begin(holder("A"))
    world.dispatcher.run_for(1.0)
    world.manager.force_reset()
    world.begin(holder("B"))
    world.dispatcher.run_for(60.0)
    assert world.events == ["A locked", "B locked", "B on", "B off", "B unlocked", "A on", "A off", "A unlocked"]


def test_the_lock_is_released_where_it_was_acquired(world: World) -> None:
    lock = world.manager.get_operation_lock()

    async def hold() -> None:
        async with lock:
            await asyncio.sleep(5.0)

    async def wrapped() -> None:
        assert await asyncio.wait_for(lock.acquire(), 5.0)
        assert lock.locked()
        lock.release()
        assert not lock.locked()

    world.run(wrapped())
    world.begin(hold())
    world.dispatcher.run_for(1.0)
    with pytest.raises(DriverStateError, match="not held by this task"):
        lock.release()
    with pytest.raises(ExclusiveControlTimeoutError):
        world.run(lock.acquire(1.0))
    world.dispatcher.run_for(10.0)
    assert not lock.locked()
    assert not lock._held


# --- deadlocks -------------------------------------------------------------------------------------------------------


def test_a_client_that_hangs_is_a_deadlock_and_a_reset_fences_it_off(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    manager = world.manager
    told: list[bool] = []

    async def hangs() -> None:
        async with manager.client_operation() as turn:
            told.append(await turn.wait_for_stop(200.0))
            assert turn.revoked
            await asyncio.sleep(3.0)  # and completes after all, in the middle of its successor

    hung = world.begin(hangs())
    world.dispatcher.run_for(80.0)
    world.begin(world.client("B", 5.0))
    world.begin(world.client("C", 5.0))
    world.dispatcher.run_for(9.0)
    assert not manager.check_deadlock()
    world.dispatcher.run_for(2.0)
    assert manager.check_deadlock()
    assert manager.get_status()["exclusive_control_duration"] == pytest.approx(91.0)
    with caplog.at_level(logging.WARNING):
        manager.force_reset()
    assert "taken away after 91.0 s" in caplog.text
    assert not manager.check_deadlock()
    world.dispatcher.run_for(4.0)
    assert told == [True]
    assert hung.done()
    assert world.events == ["B on"]
    world.dispatcher.run_for(30.0)
    assert world.events == ["B on", "B off", "C on", "C off"]
    assert manager.get_status() == IDLE


def test_a_scan_that_does_not_stop_is_a_deadlock_even_if_clients_give_up(world: World) -> None:
    async def hangs() -> None:
        async with world.manager.scan_pass():
            await asyncio.sleep(1000.0)

    world.begin(hangs())
    world.dispatcher.run_for(100.0)
    assert not world.manager.check_deadlock()
    for _ in range(2):
        with pytest.raises(ExclusiveControlTimeoutError):
            world.run(world.client("A", timeout=44.0))
        assert world.manager.is_scanner_stopping()
    # Another pass may begin beside it, which is no progress.
    world.begin(world.scanner(passes=1))
    world.dispatcher.run_for(3.0)
    assert world.manager.check_deadlock()
    world.manager.force_reset()
    world.run(world.client("B"))
    assert "B off" in world.events


def test_many_clients_one_after_the_other_are_no_deadlock(world: World) -> None:
    world.begin(world.scanner())
    for n in range(20):
        world.begin(world.client(str(n), 30.0, math.inf))
    for _ in range(600):
        world.dispatcher.run_for(1.0)
        assert not world.manager.check_deadlock()
    world.dispatcher.run_for(10.0)
    assert len(world.events) >= 40


def test_a_client_after_a_short_scan_does_not_inherit_the_time_of_its_predecessor(world: World) -> None:
    world.begin(world.client("A", 60.0))
    world.dispatcher.run_for(1.0)
    world.begin(world.scanner(stop_takes=40.0, passes=1))
    world.begin(world.client("B", 60.0, math.inf))
    world.dispatcher.run_for(95.0)  # the scan has been asked to stop for 36 s
    assert world.manager.get_status()["exclusive_control_duration"] == pytest.approx(36.0)


def test_operations_of_calls_end_with_a_reset_and_their_late_completions_change_nothing(world: World) -> None:
    manager = world.manager
    manager.notify_scan_ready()
    manager.request_scanner_stop()
    manager.force_reset()
    assert manager.get_status() == IDLE
    manager.notify_client_completed()

    async def old_client(seconds: float) -> None:
        manager.request_scanner_stop()
        await asyncio.sleep(seconds)
        assert not await manager.wait_for_scan_completed(0.0)  # revoked
        manager.notify_client_completed()

    async def ask_and_wait() -> bool:
        manager.request_scanner_stop()
        return await manager.wait_for_scan_completed(50.0)

    async def old_scanner(seconds: float) -> None:
        assert manager.notify_scan_ready()
        await asyncio.sleep(seconds)
        manager.notify_scan_completed()

    old = world.begin(old_client(10.0))
    world.dispatcher.run_for(1.0)
    manager.force_reset()
    world.begin(world.client("B", 30.0))
    world.dispatcher.run_for(20.0)
    old.result()
    assert world.events == ["B on"]
    assert manager.is_client_connecting()
    world.dispatcher.run_for(20.0)

    world.begin(old_scanner(10.0))
    world.dispatcher.run_for(1.0)
    manager.force_reset()
    world.begin(old_scanner(50.0))
    world.dispatcher.run_for(20.0)
    assert manager.get_status()["scan_ready"]
    waiting = world.begin(ask_and_wait())
    world.dispatcher.run_for(1.0)
    manager.force_reset()
    world.dispatcher.run_for(0.1)
    assert waiting.result() is False  # told at once
    assert manager.get_status() == IDLE
    world.dispatcher.run_for(50.0)
    assert manager.get_status() == IDLE
    manager.request_scanner_stop()
    manager.notify_client_completed()
    assert not manager._announced


def test_a_reset_passes_over_who_has_just_been_granted_the_adapter(world: World) -> None:
    manager = world.manager

    async def case() -> None:
        async with manager.client_operation():
            world.begin(world.client("A"))
            world.begin(world.client("B"))
            await asyncio.sleep(0.1)
        manager.force_reset()  # A has the adapter, and has not woken
        await asyncio.sleep(5.0)

    world.run(case())
    assert world.events == ["A on", "A off", "B on", "B off"]


def test_durations_follow_the_clock_that_was_given() -> None:
    now = 1000.0
    manager = ExclusiveControlManager(deadlock_threshold=5.0, clock=lambda: now)
    manager.request_scanner_stop()
    now += 5.0
    assert manager.get_status()["exclusive_control_duration"] == 5.0
    assert not manager.check_deadlock()
    now += 0.1
    assert manager.check_deadlock()
    manager.notify_client_completed()
    assert not manager.check_deadlock()


# --- switched off ----------------------------------------------------------------------------------------------------


def test_switched_off_everything_passes_through(world: World) -> None:
    manager = world.manager = ExclusiveControlManager(enabled=False)
    assert not manager.is_enabled()

    async def case() -> None:
        lock = manager.get_operation_lock()
        async with manager.scan_pass(0.0) as scan, manager.client_operation(0.0), lock, lock:
            manager.request_scanner_stop()
            assert manager.notify_scan_ready()
            assert await manager.wait_for_scan_completed(0.0)
            assert await manager.wait_for_client_completed(0.0)
            assert await manager.wait_for_scan_ready(0.0)
            assert not scan.stop_requested
            await asyncio.sleep(500.0)
            assert not manager.check_deadlock()
            assert not manager.is_client_connecting()
            assert not manager.is_scanner_stopping()
            assert manager.get_status() == {**IDLE, "enabled": False, "scan_ready": True}
        manager.notify_scan_completed()
        manager.notify_client_completed()

    world.run(case())
    manager.set_enabled(True)
    assert manager.get_status() == IDLE


def test_switching_off_frees_who_waits_and_switching_on_waits_for_who_is_under_way(world: World) -> None:
    world.begin(world.client("A", 20.0))
    world.begin(world.client("B", 20.0))
    waiting = world.begin(world.manager.wait_for_client_completed())
    world.dispatcher.run_for(1.0)
    world.manager.set_enabled(False)
    world.dispatcher.run_for(1.0)
    assert world.events == ["A on", "B on"]
    assert waiting.result() is True
    world.manager.set_enabled(True)
    world.begin(world.client("C"))
    world.dispatcher.run_for(50.0)
    assert world.events == ["A on", "B on", "A off", "B off", "C on", "C off"]


def test_two_who_got_the_lock_while_it_was_switched_off_do_not_wait_for_each_other(world: World) -> None:
    async def holder(name: str) -> None:
        async with world.manager.get_operation_lock():
            await asyncio.sleep(1.0)
            await world.client(name)

    world.manager.set_enabled(False)
    for name in "AB":
        world.begin(holder(name))
    world.dispatcher.run_for(0.1)
    world.manager.set_enabled(True)
    world.dispatcher.run_for(10.0)
    assert world.events == ["A on", "A off", "B on", "B off"]


def test_durations_are_above_zero() -> None:
    with pytest.raises(InvalidOptionError, match="deadlock_threshold"):
        ExclusiveControlManager(deadlock_threshold=0.0)
    with pytest.raises(InvalidOptionError, match="client_completion_timeout"):
        ExclusiveControlManager(client_completion_timeout=-1.0)


def test_ten_thousand_operations_leave_nothing_behind(world: World) -> None:
    async def case() -> None:
        for n in range(10_000):
            async with world.manager.scan_pass() if n % 3 else world.manager.client_operation():
                pass
            if n % 7 == 0:
                world.manager.request_scanner_stop()
                world.manager.force_reset()  # and nobody completes it

    logging.disable(logging.WARNING)
    try:
        world.run(case())
    finally:
        logging.disable(logging.NOTSET)
    assert not list(world.manager._turns)
    assert not world.manager._waiting
    assert len(world.manager._announced) <= 1  # the last one, should it be completed after all
