"""Notices that the dispatcher is blocked: a callback that does not return stops everything else with it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from .async_dispatcher import AsyncDispatcher
from .dispatcher import Timer
from .errors import DispatcherBlockedError
from .watchdog import Watchdog

logger = logging.getLogger(__name__)

#: Seconds between two beats, and without one until it counts as blocked: three missed beats, and half a minute in
#: which a mere burst of work is surely over.
BEAT, BLOCKED = 10.0, 30.0


class Heartbeat:
    """Feeds a watchdog from the dispatcher.

    A thread cannot be ended from outside, so nothing can be restarted here. While the dispatcher is blocked, the log
    tells where; once it is free again, `on_blocked` is called on it, for whoever looks after the program.

    Args:
        dispatcher: what to watch over.
        on_blocked: called with what to tell a person.
        beat: seconds between two beats.
        blocked: seconds without a beat that count as blocked.
        clock: a monotonic time in seconds.

    Attributes:
        stalls: how often the dispatcher was found blocked.
    """

    def __init__(
        self,
        dispatcher: AsyncDispatcher,
        on_blocked: Callable[[DispatcherBlockedError], object],
        *,
        beat: float = BEAT,
        blocked: float = BLOCKED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dispatcher = dispatcher
        self._on_blocked = on_blocked
        self._beat_interval = beat
        self._clock = clock
        self._watchdog = Watchdog(blocked, beat, self._starved, clock=clock, name="ble-watchdog")
        self._last = clock()
        self._where: str | None = None
        self._timer: Timer | None = None
        self.stalls = 0

    def start(self) -> None:
        """Begin to beat; the dispatcher must run."""
        self._last, self._where = self._clock(), None
        self._watchdog.start_in_thread()
        self._timer = self._dispatcher.call_later(self._beat_interval, self._beat)

    def stop(self, timeout: float = 1.0) -> None:
        """Beat no more, and end the thread within `timeout` seconds; harmless if it does not beat."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._watchdog.stop(timeout)

    def _beat(self) -> None:
        if self._timer is None:
            return
        now = self._clock()
        where, self._where = self._where, None
        late, self._last = now - self._last, now
        self._watchdog.feed()
        self._timer = self._dispatcher.call_later(self._beat_interval, self._beat)
        if where is not None:
            self._on_blocked(
                DispatcherBlockedError(
                    f"nothing was done for {late:.0f} s, because a callback did not return: callbacks must not block, "
                    f"hand what takes long to a thread of its own; it was in {where}"
                )
            )

    def _starved(self) -> None:
        """On the watchdog's thread."""
        self.stalls += 1
        stack = self._dispatcher.where()
        # The last lines of a stack are where it is: file and line, and what stands there.
        self._where = " ".join(stack.strip().splitlines()[-2:]).strip()
        logger.error("the dispatcher is blocked, and nobody looks after the radio; it is in\n%s", stack)
