"""Subscriptions: what is called, what the radio is told, and what a new connection brings back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ble_driver import DataTypeError, DriverStateError, InvalidOptionError
from ble_driver.notifications import NotificationManager, Settled, SubscribeError, Subscription
from tests.health.notifying import OTHER, TX, Client, World, awaited


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    assert not world.client.overlapped
    world.dispatcher.close()


def test_the_first_subscriber_starts_the_radio_and_the_last_one_stops_it(world: World) -> None:
    client = world.connect()
    first = world.manager.subscribe(TX, world.hear)
    assert not first.notifying
    world.wait(1.0)
    assert first.notifying
    second = world.manager.subscribe(TX.upper(), world.hear)
    third = world.manager.subscribe(OTHER, world.hear)
    world.wait(1.0)
    assert client.calls == [f"start {TX}", f"start {OTHER}"]
    client.notify(TX, b"one")
    assert world.heard == [(TX, b"one"), (TX.upper(), b"one")]
    assert isinstance(world.heard[0][1], bytes)
    world.manager.unsubscribe(first)
    world.wait(1.0)
    client.notify(TX, b"two")
    assert world.heard[2:] == [(TX.upper(), b"two")]
    world.manager.unsubscribe(second)
    world.manager.unsubscribe(second)
    world.wait(1.0)
    assert client.calls[2:] == [f"stop {TX}"]
    assert third.notifying
    assert not second.notifying


def test_before_a_connection_no_loop_is_needed_and_a_new_one_brings_everything_back(world: World) -> None:
    token = world.manager.subscribe(TX, world.hear)
    gone = world.manager.subscribe(OTHER, world.hear)
    world.manager.unsubscribe(gone)
    old = world.connect()
    world.wait(1.0)
    late = old.callbacks[TX]
    world.manager.on_disconnected()
    world.manager.on_disconnected()
    assert token.active
    assert not token.notifying
    late(None, bytearray(b"late"))
    assert world.heard == []
    new = world.connect()
    world.wait(1.0)
    assert new.calls == [f"start {TX}"]
    late(None, bytearray(b"later still"))
    new.notify(TX, b"new")
    assert world.heard == [(TX, b"new")]
    newest = world.connect()  # nobody reported the end
    world.wait(1.0)
    assert newest.calls == [f"start {TX}"]
    new.notify(TX, b"old")
    assert world.heard == [(TX, b"new")]


def test_awaiting_waits_for_the_radio(world: World) -> None:
    client = world.connect()
    [token] = world.run(world.manager.subscribe(TX, world.hear))
    assert isinstance(token, Subscription)
    assert token.notifying
    [nothing] = world.run(world.manager.unsubscribe(token))
    assert nothing is None
    assert client.calls == [f"start {TX}", f"stop {TX}"]
    world.manager.on_disconnected()
    [token] = world.run(world.manager.subscribe(TX, world.hear))
    assert token.active

    async def reconnect() -> bool:
        await world.manager.on_connected(Client())
        return bool(token.notifying)

    assert world.run(reconnect()) == [True]


@pytest.mark.parametrize("end", ["refused", "too late", "cancelled", "given up by the client"])
def test_an_awaited_subscription_that_fails_is_undone(world: World, end: str) -> None:
    client = world.connect(Client(delay=60.0 if end == "too late" else 0.1))
    kept = world.manager.subscribe(TX, world.hear)  # nobody awaits this one: it stays
    if end == "refused":
        client.fails.add("start")
    if end == "given up by the client":

        async def give_up(*_: object) -> None:
            raise asyncio.CancelledError

        client.start_notify = give_up  # type: ignore[method-assign,assignment]
    before = len(world.manager._subscriptions[TX])

    async def case() -> Subscription:
        return await world.manager.subscribe(TX, world.hear)

    task = world.dispatcher.loop.create_task(case())
    world.wait(0.01)
    if end == "cancelled":
        task.cancel()
    world.wait(30.0)
    assert task.done()
    assert len(world.manager._subscriptions[TX]) == before
    assert kept.active
    if end == "cancelled":
        assert task.cancelled()
        assert kept.notifying
        return
    error = task.exception()
    assert isinstance(error, SubscribeError)
    expected = {"refused": "start refused", "too late": "10.0 s"}.get(end, "gave the call up")
    assert expected in str(error)
    # The next one who subscribes has the client asked again.
    client.fails.clear()
    client.delay = 0.1
    if end != "given up by the client":
        [token] = world.run(world.manager.subscribe(TX, world.hear))
        assert token.notifying
        assert kept.notifying


def test_a_connection_lost_on_the_way_is_no_failure_of_the_subscription(world: World) -> None:
    world.connect()
    tasks = [world.dispatcher.loop.create_task(awaited(world.manager.subscribe(TX, world.hear))) for _ in range(2)]
    world.wait(0.01)
    world.manager.on_disconnected()
    world.wait(0.01)
    assert [task.result().active for task in tasks] == [True, True]
    client = world.connect()
    world.wait(1.0)
    assert client.calls == [f"start {TX}"]


def test_what_is_unsaid_while_the_radio_is_busy_is_not_said(world: World) -> None:
    client = world.connect()
    manager = world.manager
    token = manager.subscribe(TX, world.hear)
    world.wait(0.05)
    manager.unsubscribe(token)
    again = manager.subscribe(TX, world.hear)
    world.wait(1.0)
    assert client.calls == [f"start {TX}"]  # the one that was in flight serves the other
    manager.unsubscribe(again)
    world.wait(0.05)
    last = manager.subscribe(TX, world.hear)
    world.wait(1.0)
    assert client.calls[1:] == [f"stop {TX}", f"start {TX}"]  # that stop could not be called back
    assert last.notifying
    manager.unsubscribe(last)
    manager.unsubscribe(manager.subscribe(TX, world.hear))
    world.wait(1.0)
    assert client.calls[3:] == [f"stop {TX}"]


def test_a_stop_that_fails_or_hangs_does_not_stand_in_the_way(world: World, caplog: pytest.LogCaptureFixture) -> None:
    client = world.connect()
    token = world.manager.subscribe(TX, world.hear)
    world.wait(1.0)
    client.fails.add("stop")
    with caplog.at_level(logging.WARNING):
        world.run(world.manager.unsubscribe(token))
    assert "stop refused" in caplog.text
    client.callbacks.clear()
    client.fails.clear()
    token = world.manager.subscribe(TX, world.hear)
    world.wait(1.0)
    client.delay = 1000.0
    begun = world.dispatcher.time()
    world.run(world.manager.unsubscribe(token))
    assert world.dispatcher.time() - begun == pytest.approx(10.0)


def test_a_call_that_ignores_its_cancellation_is_left_behind(world: World) -> None:
    class Stubborn(Client):
        async def start_notify(self, characteristic: str, callback: Callable[[Any, bytearray], None]) -> None:
            for _ in range(2):
                try:
                    await asyncio.sleep(500.0)
                except asyncio.CancelledError:
                    continue
            raise OSError("at long last")

    world.connect(Stubborn())
    begun = world.dispatcher.time()
    [error] = world.run(world.manager.subscribe(TX, world.hear))
    assert isinstance(error, SubscribeError)
    assert world.dispatcher.time() - begun == pytest.approx(10.0)
    world.wait(1000.0)


def test_a_client_that_raises_at_once_is_a_failure_like_any_other(world: World) -> None:
    client = world.connect()
    client.start_notify = lambda *_: [][0]  # type: ignore[method-assign]
    [error] = world.run(world.manager.subscribe(TX, world.hear))
    assert isinstance(error, SubscribeError)
    assert isinstance(error.__cause__, IndexError)


def test_after_unsubscribe_returned_nothing_is_called_not_even_in_the_same_round(world: World) -> None:
    tokens: list[Subscription] = []

    def first(_: str, data: bytes) -> None:
        world.hear("first", data)
        world.manager.unsubscribe(tokens[0])
        world.manager.unsubscribe(tokens[1])
        tokens.append(world.manager.subscribe(TX, lambda c, d: world.hear("newcomer", d)))

    world.connect()
    for name, callback in (("first", first), ("second", world.hear), ("third", world.hear)):
        del name
        tokens.append(world.manager.subscribe(TX, callback))
    world.wait(1.0)
    world.client.notify(TX, b"1")
    assert world.heard == [("first", b"1"), (TX, b"1")]
    world.client.notify(TX, b"2")
    assert world.heard[2:] == [(TX, b"2"), ("newcomer", b"2")]


def test_the_last_subscriber_may_leave_from_its_own_callback(world: World) -> None:
    def once(characteristic: str, data: bytes) -> None:
        world.hear(characteristic, data)
        world.manager.unsubscribe(token)

    client = world.connect()
    token = world.manager.subscribe(TX, once)
    world.wait(1.0)
    client.notify(TX, b"1")
    client.notify(TX, b"2")  # before the radio has stopped
    world.wait(1.0)
    assert world.heard == [(TX, b"1")]
    assert client.calls == [f"start {TX}", f"stop {TX}"]


def test_a_raising_callback_is_logged_and_the_others_are_called(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def bad(*_: object) -> None:
        raise ValueError("on purpose")

    world.manager.subscribe(TX, bad)
    world.manager.subscribe(TX, world.hear)
    for data in (b"1", bytearray(b"2"), memoryview(b"3")):
        world.manager.dispatch(TX.upper(), data)
    assert world.heard == [(TX, b"1"), (TX, b"2"), (TX, b"3")]
    assert caplog.text.count("ValueError: on purpose") == 3
    with pytest.raises(DataTypeError):
        world.manager.dispatch(TX, "text")  # type: ignore[arg-type]
    world.manager.dispatch("unknown", b"nobody cares")


def test_cleanup_ends_all_at_once(world: World) -> None:
    client = world.connect()
    tokens = [world.manager.subscribe(c, world.hear) for c in (TX, TX, OTHER)]
    world.wait(1.0)
    pending = world.manager.cleanup_all()
    client.notify(TX, b"1")
    client.notify(OTHER, b"1")
    assert world.heard == []
    assert not any(token.active for token in tokens)
    world.run(pending)
    assert sorted(client.calls[2:]) == sorted([f"stop {TX}", f"stop {OTHER}"])
    assert isinstance(world.manager.cleanup_all(), Settled)
    assert world.connect().calls == []


def test_a_token_goes_back_to_where_it_came_from(world: World) -> None:
    with pytest.raises(DriverStateError, match="another NotificationManager"):
        world.manager.unsubscribe(NotificationManager().subscribe(TX, world.hear))
    with pytest.raises(InvalidOptionError, match="timeout"):
        NotificationManager(timeout=0.0)
