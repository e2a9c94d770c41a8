"""Scanner and clients on one adapter in blocks, case by case; the interleavings are tried in the model beside this."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ble_driver import BLEDriverError, DriverStateError
from ble_driver.exclusive_control import ExclusiveControlManager, ExclusiveControlTimeoutError

from .world import IDLE, World


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
