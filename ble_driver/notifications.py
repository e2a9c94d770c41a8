"""Subscriptions to characteristics that outlive the connection they were made on.

What is wanted (callbacks per characteristic) is kept apart from what is so (which characteristics the present client
notifies). `subscribe` and `unsubscribe` change only what is wanted, at once; one task per characteristic makes the two
equal by calling the radio, one call after the other. So a radio call in flight is never overtaken by its contrary, and
what was wanted for a moment only costs no radio call at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any, Protocol

from .checks import as_bytes, check_seconds
from .errors import BLEDriverError, DriverStateError, LinkError
from .tasks import finished_within

logger = logging.getLogger(__name__)

#: Called with the characteristic, as it was subscribed to, and the bytes it notified.
NotificationCallback = Callable[[str, bytes], object]


class SubscribeError(BLEDriverError):
    """The peer or the radio refused to notify a characteristic, or did not answer in time."""


class NotifyingClient(Protocol):
    """What is needed of a connection: any object with these two calls will do, such as that of a Bluetooth library."""

    def start_notify(self, characteristic: str, callback: Callable[[Any, bytearray], None], /) -> Awaitable[object]:
        """Have the peer notify a characteristic; call back with something and the bytes each time."""

    def stop_notify(self, characteristic: str, /) -> Awaitable[object]:
        """Have the peer stop that."""


class Settled:
    """The radio's part of a call that has taken effect already; awaiting it is up to the caller."""

    def __init__(self, channels: Iterable[_Channel]) -> None:
        self._channels = list(channels)

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until the radio has done what was wanted, failed at it, or lost the connection; raises nothing."""
        return _settle(self._channels).__await__()


class Subscription:
    """The token of one callback on one characteristic.

    Attributes:
        characteristic: as it was given to `NotificationManager.subscribe`.
        active: the callback may still be called; false for ever after `unsubscribe`.
    """

    def __init__(self, manager: NotificationManager, characteristic: str, callback: NotificationCallback) -> None:
        self._manager = manager
        self._callback = callback
        self.characteristic = characteristic
        self.active = True

    @property
    def notifying(self) -> bool:
        """Whether the peer notifies the characteristic now; false while there is no connection."""
        channel = self._manager._channel(self.characteristic)
        return self.active and channel is not None and channel.notifying

    def __await__(self) -> Generator[Any, None, Subscription]:
        return self._confirm().__await__()

    async def _confirm(self) -> Subscription:
        channel = self._manager._channel(self.characteristic)
        if channel is None:
            return self
        try:
            await _settle([channel])
        except asyncio.CancelledError:
            # Whoever awaits subscribe() itself has not seen the token yet and could never undo this.
            self._manager.unsubscribe(self)
            raise
        error = channel.error
        if self.active and error is not None and not channel.closed:
            self._manager.unsubscribe(self)
            raise SubscribeError(f"cannot subscribe to {self.characteristic}: {error!r}") from error
        return self


class _Channel:
    """One characteristic on one connection: what is so there. A new connection has new ones."""

    def __init__(self, key: str, connection: _Connection) -> None:
        self.key = key
        self.name = key  # as the client was told
        self.connection = connection
        self.notifying = False
        self.error: Exception | None = None  # of the last attempt to start
        self.task: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        return self.connection.closed


class _Connection:
    def __init__(self, client: NotifyingClient, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self.loop = loop
        self.channels: dict[str, _Channel] = {}
        self.closed = False


class NotificationManager:
    """Gives what characteristics notify to whoever subscribed, across as many connections as it takes.

    It knows no Bluetooth library: whoever connects hands it the client by `on_connected` and reports the end by
    `on_disconnected`. All calls are made on one event loop, its thread included; none of them blocks. Before the first
    connection they may be made without a loop.

    The first subscriber of a characteristic starts its notifications, the last one to go stops them. Characteristics
    are compared without regard to case and handed to the client as the first subscriber spelt them.

    Args:
        timeout: seconds that one radio call may take before it counts as failed.

    Raises:
        InvalidOptionError: `timeout` is not above 0.
    """

    def __init__(self, timeout: float = 10.0) -> None:
        self._timeout = check_seconds("timeout", timeout)
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._connection: _Connection | None = None

    # --- for those who want the data ----------------------------------------------------------------------------------

    def subscribe(self, characteristic: str, callback: NotificationCallback) -> Subscription:
        """Have `callback(characteristic, data)` called for what the characteristic notifies from now on.

        Takes effect at once, connected or not, also from within a callback. Awaiting the result is optional and
        all-or-nothing: ``token = await manager.subscribe(...)`` returns once the present client notifies (or there is
        none), and if that fails or is cancelled, the subscription is undone. Not awaited, it stays, a failure is
        logged, and the next connection or subscriber tries again.

        Returns:
            The token for `unsubscribe`.

        Raises (only if awaited):
            SubscribeError: the client did not start to notify.
        """
        subscription = Subscription(self, characteristic, callback)
        self._subscriptions.setdefault(_key(characteristic), []).append(subscription)
        self._reconcile(_key(characteristic))
        return subscription

    def unsubscribe(self, token: Subscription) -> Settled:
        """End a subscription: once this has returned, its callback is not called again.

        Harmless if it has ended; works from within any callback. Awaiting the result waits for the radio.

        Raises:
            DriverStateError: the token is of another manager.
        """
        if token._manager is not self:
            raise DriverStateError("this subscription belongs to another NotificationManager: unsubscribe it there")
        key = _key(token.characteristic)
        if token.active:
            token.active = False
            others = self._subscriptions[key]
            others.remove(token)
            if not others:
                del self._subscriptions[key]
                self._reconcile(key)
        channel = self._channel(key)
        return Settled([] if channel is None else [channel])

    def cleanup_all(self) -> Settled:
        """End all subscriptions: once this has returned, no callback is called again.

        Awaiting the result waits for the radio.
        """
        for subscriptions in list(self._subscriptions.values()):
            for token in list(subscriptions):
                self.unsubscribe(token)
        return Settled([] if self._connection is None else self._connection.channels.values())

    # --- for those who have the connection ----------------------------------------------------------------------------

    def on_connected(self, client: NotifyingClient) -> Settled:
        """Subscribe again, on a new connection, to all that is wanted; from within the event loop.

        Failures are logged. Awaiting the result waits for the radio. A connection that was not reported as ended is
        taken as ended.
        """
        self.on_disconnected()
        self._connection = _Connection(client, asyncio.get_running_loop())
        for key in list(self._subscriptions):
            self._reconcile(key)
        return Settled(self._connection.channels.values())

    def on_disconnected(self) -> None:
        """Keep what is wanted for the next connection; what this one still delivers is dropped."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.closed = True
        for channel in connection.channels.values():
            channel.notifying = False
            if channel.task is not None and not connection.loop.is_closed():
                channel.task.cancel()

    def dispatch(self, characteristic: str, data: bytes | bytearray | memoryview) -> None:
        """Call the subscribers of a characteristic with a copy of `data`, in the order in which they subscribed.

        For whoever receives notifications by another way than the client's callback. A callback that raises is logged
        and keeps the others from nothing; one that subscribes is not called with the data at hand.

        Raises:
            DataTypeError: `data` is not bytes.
        """
        copy = as_bytes(data, "a notification")
        for subscription in tuple(self._subscriptions.get(_key(characteristic), ())):
            if not subscription.active:
                continue  # an earlier callback of this very round ended it
            try:
                subscription._callback(subscription.characteristic, copy)
            except Exception:
                logger.exception("the callback of a subscription to %s raised", subscription.characteristic)

    # --- making what is so equal to what is wanted --------------------------------------------------------------------

    def _channel(self, characteristic: str) -> _Channel | None:
        return None if self._connection is None else self._connection.channels.get(_key(characteristic))

    def _reconcile(self, key: str) -> None:
        """See to it that a task is at work on a characteristic if there is something to do."""
        connection = self._connection
        if connection is None:
            return
        channel = connection.channels.setdefault(key, _Channel(key, connection))
        # A task may have run to its end within create_task (asyncio's eager tasks), and only look unfinished.
        idle = channel.task is None or channel.task.done()
        if idle and channel.notifying != (key in self._subscriptions):
            channel.error = None
            channel.task = connection.loop.create_task(self._work(channel))

    async def _work(self, channel: _Channel) -> None:
        try:
            while not channel.closed and channel.notifying != (channel.key in self._subscriptions):
                if channel.notifying:
                    await self._stop(channel)
                else:
                    await self._start(channel)
                if channel.error is not None:
                    return
        finally:
            channel.task = None

    async def _start(self, channel: _Channel) -> None:
        channel.name = self._subscriptions[channel.key][0].characteristic

        def arrived(_: object, data: bytearray) -> None:
            if not channel.closed:
                self.dispatch(channel.key, data)

        try:
            await self._bounded(channel.connection.client.start_notify(channel.name, arrived))
        except Exception as error:
            channel.error = error
            logger.warning("cannot subscribe to %s: %r", channel.name, error)
        else:
            channel.notifying = True

    async def _stop(self, channel: _Channel) -> None:
        # Whether it succeeds or not: should somebody subscribe again, the client is to be asked again.
        channel.notifying = False
        try:
            await self._bounded(channel.connection.client.stop_notify(channel.name))
        except Exception as error:
            logger.warning("cannot unsubscribe from %s: %r", channel.name, error)

    async def _bounded(self, call: Awaitable[object]) -> None:
        """Await a radio call for `timeout` seconds."""
        task = await finished_within(self._timeout, call)
        if task is None:
            raise TimeoutError(f"no answer within {self._timeout} s")
        if task.cancelled():  # by the client, not by us: to pass that on would end our own task
            raise LinkError("the client gave the call up")
        task.result()


async def _settle(channels: list[_Channel]) -> None:
    """Wait until no task is at work on any of the channels."""
    while tasks := {channel.task for channel in channels if channel.task is not None and not channel.closed}:
        await asyncio.wait(tasks)


def _key(characteristic: str) -> str:
    return characteristic.lower()
