"""What has happened so far, and waiting for what must happen next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from _demo.errors import MissingError

Event = dict[str, Any]


class EventLog:
    """All events of all nodes, in order. Times are those of the running loop."""

    def __init__(self, deadline: float, on_event: Callable[[Event], None]) -> None:
        self._deadline = deadline
        self._on_event = on_event
        self._events: list[Event] = []
        self._changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failure: str | None = None

    def add(self, event: Event) -> None:
        self._events.append(event)
        self._on_event(event)
        self._wake()

    def fail(self, reason: str) -> None:
        """Nothing that is still expected can happen any more."""
        self._failure = self._failure or reason
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)

    async def expect(self, what: str, **fields: object) -> Event:
        """Return the first event with these fields, past or future. `what` names it for the user if it never comes."""
        checked = 0
        while True:
            for event in self._events[checked:]:
                if all(event.get(key) == value for key, value in fields.items()):
                    return event
            checked = len(self._events)
            if self._failure is not None:
                raise MissingError(f"{what}: {self._failure}")
            remaining = self._deadline - asyncio.get_running_loop().time()
            # Not wait_for: before Python 3.12 it loses a cancellation that comes together with the result.
            if not (await asyncio.wait([self._changed], timeout=max(remaining, 0)))[0]:
                raise MissingError(f"{what}: it had not come when the time was up")
