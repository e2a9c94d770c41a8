"""Who hangs is found out, and a reset takes the adapter from him for good."""

from __future__ import annotations

import asyncio
import logging
import math

import pytest

from ble_driver import InvalidOptionError
from ble_driver.exclusive_control import ExclusiveControlManager, ExclusiveControlTimeoutError

from .world import IDLE, World


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


def test_durations_are_above_zero() -> None:
    with pytest.raises(InvalidOptionError, match="deadlock_threshold"):
        ExclusiveControlManager(deadlock_threshold=0.0)
    with pytest.raises(InvalidOptionError, match="client_completion_timeout"):
        ExclusiveControlManager(client_completion_timeout=-1.0)
