"""A program that a scenario has started, in a guest or on the host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from signal import Signals
from typing import Any


class GuestError(Exception):
    """A guest, or a program, did not do what it was asked to."""


class Program:
    """One program. It speaks with the scenario by JSON lines (guest_side/report.py).

    Attributes:
        events: the JSON objects it printed and nobody has taken yet, as a queue; None marks its end.
        output: its standard output that was no JSON.
        errors: the last lines of its standard error.
        exits: how often it has ended, if it is respawned.
    """

    def __init__(self, number: int, title: str, say: Callable[[Mapping[str, Any]], None]) -> None:
        self.number = number
        self.title = title
        self.events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.output: list[str] = []
        self.errors: list[str] = []
        self.exits: list[int] = []
        self.on_line: Callable[[str], None] | None = None
        self.on_exit: Callable[[int], None] | None = None
        self.carrier: asyncio.Task[None] | None = None  # held here, because the loop holds tasks only weakly
        self._say = say
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def __str__(self) -> str:
        return self.title

    # --- what scenarios do --------------------------------------------------------------------------------------------

    def send(self, command: str, **details: Any) -> None:
        """Write a JSON line to its standard input."""
        self.type(json.dumps({"do": command, **details}))

    def type(self, line: str) -> None:
        """Write a line to its standard input."""
        self._say({"do": "input", "id": self.number, "line": line})

    def signal(self, number: Signals) -> None:
        """Send it a signal."""
        self._say({"do": "signal", "id": self.number, "signal": int(number)})

    async def expect(self, event: str, timeout: float, **wanted: Any) -> dict[str, Any]:
        """Return its next event of this name with these details; others that come before are dropped.

        Raises:
            GuestError: it ended, or the event did not come in time. The message says what came instead.
        """
        seen: list[str] = []
        try:
            async with asyncio.timeout(timeout):
                while True:
                    got = await self.events.get()
                    if got is None:
                        self.events.put_nowait(None)
                        raise GuestError(f"{self} ended without {event!r}{self._story(seen)}")
                    if got.get("event") == event and all(got.get(key) == value for key, value in wanted.items()):
                        return got
                    seen.append(str(got))
        except TimeoutError:
            raise GuestError(f"{self}: no {event!r} within {timeout:g} s{self._story(seen)}") from None

    async def wait(self, timeout: float) -> int:
        """Return its exit code once it has ended.

        Raises:
            GuestError: it has not ended in time.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(self._ended), timeout)
        except TimeoutError:
            raise GuestError(f"{self}: no end within {timeout:g} s{self._story([])}") from None

    async def succeed(self, timeout: float) -> list[str]:
        """Return its output once it has ended well.

        Raises:
            GuestError: it has not ended in time, or not well.
        """
        code = await self.wait(timeout)
        if code != 0:
            raise GuestError(f"{self}: exit code {code}{self._story([])}")
        return self.output

    async def stop(self, timeout: float = 10.0) -> None:
        """End it for good."""
        if not self._ended.done():
            self._say({"do": "stop", "id": self.number})
            await self.wait(timeout)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended for good."""
        return self._ended.done()

    def _story(self, seen: list[str]) -> str:
        lines = [*seen[-5:], *self.output[-3:], *self.errors[-15:]]
        return "".join(f"\n    {line}" for line in lines)

    # --- what its carrier does ----------------------------------------------------------------------------------------

    def take(self, message: Mapping[str, Any]) -> bool:
        """Take a message in the form of guest_side/steward.py; return whether it was the last."""
        if "line" in message:
            self._take_line(message["line"], message["error"])
            return False
        self.exits.append(message["exit"])
        if self.on_exit is not None:
            self.on_exit(message["exit"])
        if message["again"]:
            return False
        self.end(message["exit"])
        return True

    def end(self, code: int) -> None:
        """Mark the end, also that of a guest that was killed."""
        if not self._ended.done():
            self._ended.set_result(code)
            self.events.put_nowait(None)

    def _take_line(self, line: str, error: bool) -> None:
        if self.on_line is not None:
            self.on_line(line)
        if error:
            self.errors.append(line)
            del self.errors[:-100]
        elif line.startswith('{"event": '):
            self.events.put_nowait(json.loads(line))
        else:
            self.output.append(line)
