"""Subscriptions in any order of events that hypothesis can think of."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ble_driver.notifications import Subscription
from tests.health.notifying import OTHER, TX, Client, World, awaited


class NotificationMachine(RuleBasedStateMachine):
    """Any order of subscribing, leaving, losing the connection, waiting: in the end the radio does what is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.clients: list[Client] = []
        self.connected = False
        self.tokens: list[tuple[Subscription, list[bytes]]] = []
        self.sent = 0

    @rule(characteristic=st.sampled_from([TX, OTHER]), wait=st.booleans())
    def subscribe(self, characteristic: str, wait: bool) -> None:
        heard: list[bytes] = []
        token = self.world.manager.subscribe(characteristic, lambda _, data: heard.append(data))
        self.tokens.append((token, heard))
        if wait:
            self.world.dispatcher.loop.create_task(awaited(token))

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        self.world.manager.unsubscribe(data.draw(st.sampled_from(self.tokens))[0])

    @rule(delay=st.sampled_from([0.0, 0.1, 1.0]))
    def connect(self, delay: float) -> None:
        self.clients.append(self.world.connect(Client(delay)))
        self.connected = True

    @rule()
    def disconnect(self) -> None:
        self.world.manager.on_disconnected()
        self.connected = False

    @rule()
    def clean_up(self) -> None:
        self.world.manager.cleanup_all()

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.5, 5.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.wait(seconds)

    @precondition(lambda self: self.clients)
    @rule(characteristic=st.sampled_from([TX, OTHER]), data=st.data())
    def notify(self, characteristic: str, data: st.DataObject) -> None:
        client = data.draw(st.sampled_from(self.clients))
        if characteristic not in client.callbacks:
            return
        self.sent += 1
        before = [list(heard) for _, heard in self.tokens]
        client.notify(characteristic, b"%d" % self.sent)
        counts = self.connected and client is self.clients[-1]
        for (token, heard), old in zip(self.tokens, before, strict=True):
            called = counts and token.active and token.characteristic == characteristic
            assert heard == old + ([b"%d" % self.sent] if called else [])

    @invariant()
    def calls_never_overlap(self) -> None:
        assert not any(client.overlapped for client in self.clients)

    def teardown(self) -> None:
        self.world.wait(10.0)
        wanted = {token.characteristic for token, _ in self.tokens if token.active}
        if self.connected:
            assert set(self.clients[-1].callbacks) == wanted
            assert all(token.notifying is token.active for token, _ in self.tokens)
            starts = [call for client in self.clients for call in client.calls]
            assert len(starts) <= 2 * len(self.tokens) * max(1, len(self.clients))
        self.world.run(self.world.manager.cleanup_all())
        if self.connected:
            assert not self.clients[-1].callbacks
        assert not self.world.manager._subscriptions
        assert len(asyncio.all_tasks(self.world.dispatcher.loop)) == 0
        self.world.dispatcher.close()


NotificationMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestNotifications = NotificationMachine.TestCase
