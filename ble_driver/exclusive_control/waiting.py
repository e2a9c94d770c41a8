"""Waiting for what others change: by condition, and by events for those who want to look at them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import NamedTuple

from ..tasks import running_loop


class Waiting:
    """Wakes whoever waits for a condition, each time that something has changed."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def wake(self) -> None:
        """Something has changed: let everybody look."""
        for waiter in self._waiters:
            if not waiter.done() and not waiter.get_loop().is_closed():
                waiter.set_result(None)
        self._waiters.clear()

    async def until(self, reached: Callable[[], bool], timeout: float) -> bool:
        """Wait until `reached()`, looked at after each change; return whether it is, at the moment of returning."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not reached():
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.add(waiter)
            remaining = max(0.0, deadline - loop.time())
            try:
                done, _ = await asyncio.wait({waiter}, timeout=None if math.isinf(remaining) else remaining)
            finally:
                self._waiters.discard(waiter)
            if not done:
                return False
        return True

    def __len__(self) -> int:
        return len(self._waiters)


class WaitEvents(NamedTuple):
    """What can be waited for, as events to look at or wait for, not to set.

    Attributes:
        scan_ready: set while a scan runs that has not been asked to stop.
        scan_completed: set while the scanner is known to be off.
        client_completed: set while no client has the adapter or waits for it.
    """

    scan_ready: asyncio.Event
    scan_completed: asyncio.Event
    client_completed: asyncio.Event


class EventsOfLoop:
    """The events for the loop that runs: an `asyncio.Event` belongs to the loop that first waits for it."""

    def __init__(self) -> None:
        self._events: WaitEvents | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self, levels: tuple[bool, bool, bool]) -> WaitEvents:
        """Return the events, which show these levels."""
        loop = running_loop()
        if self._events is None or (loop is not None and self._loop not in (None, loop)):
            self._events = WaitEvents(asyncio.Event(), asyncio.Event(), asyncio.Event())
            self._loop = None
        self._loop = self._loop or loop
        _show(self._events, levels)
        return self._events

    def update(self, levels: tuple[bool, bool, bool]) -> None:
        """Show what is so now, if anybody has asked for the events."""
        if self._loop is not None and self._loop.is_closed():
            self._events = self._loop = None  # whoever waited for them is gone
        if self._events is not None:
            _show(self._events, levels)


def _show(events: WaitEvents, levels: tuple[bool, bool, bool]) -> None:
    for event, level in zip(events, levels, strict=True):
        if level:
            event.set()
        else:
            event.clear()
