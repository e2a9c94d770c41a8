"""Everything passes through while the exclusion is switched off."""

from __future__ import annotations

import asyncio

from ble_driver.exclusive_control import ExclusiveControlManager

from .world import IDLE, World


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
