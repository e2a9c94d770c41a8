"""The same by calls: a request that the scanner stops, and news of what is completed."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ble_driver import DriverStateError
from ble_driver.exclusive_control import ExclusiveControlManager

from .world import IDLE, World


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
