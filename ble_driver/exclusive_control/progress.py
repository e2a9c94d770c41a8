"""Since when has nothing moved?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ..tasks import running_loop

Clock = Callable[[], float]


class Progress:
    """How long ago exclusive control last made progress.

    Args:
        clock: a monotonic time in seconds; None for that of the running loop, or of the last one that ran.
    """

    def __init__(self, clock: Clock | None) -> None:
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._since: float | None = None

    def made(self) -> None:
        """The count starts anew."""
        self._since = self._now()

    def watch(self) -> None:
        """The count starts if none runs."""
        if self._since is None:
            self.made()

    def forget(self) -> None:
        """Nobody asks for exclusive control: there is nothing to count."""
        self._since = None

    @property
    def duration(self) -> float:
        """Seconds of the count; 0.0 if none runs."""
        # Never below zero: the first call may have been made before any loop ran, on another clock.
        return 0.0 if self._since is None else max(0.0, self._now() - self._since)

    def _now(self) -> float:
        if self._clock is not None:
            return self._clock()
        self._loop = running_loop() or self._loop
        return time.monotonic() if self._loop is None else self._loop.time()
