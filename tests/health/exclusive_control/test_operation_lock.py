"""The lock that keeps clients out and lets the scanner be."""

from __future__ import annotations

import asyncio

import pytest

from ble_driver import DriverStateError
from ble_driver.exclusive_control import ExclusiveControlTimeoutError

from .world import World


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
