"""One timer for many deadlines."""

from __future__ import annotations

import math
from collections.abc import Callable

from ble_driver import Dispatcher, Timer

#: Seconds that the alarm waits at least, so that a deadline which has just passed cannot keep it ringing.
SHORTEST = 0.01


class Alarm:
    """Calls `ring` at the earliest time it was set to. A deadline that has moved away costs one call too many.

    Args:
        dispatcher: whose time it is, and where `ring` is called.
        ring: what to call; it sets the alarm anew.
    """

    def __init__(self, dispatcher: Dispatcher, ring: Callable[[], object]) -> None:
        self._dispatcher = dispatcher
        self._ring = ring
        self._timer: Timer | None = None
        self._at = math.inf

    def set(self, at: float) -> None:
        """Ring at this time, if not before; infinite means never."""
        if at < self._at:
            self.cancel()
            self._at = at
            delay = max(at - self._dispatcher.time(), SHORTEST)
            self._timer = self._dispatcher.call_later(delay, self._due)

    def _due(self) -> None:
        self._timer, self._at = None, math.inf
        self._ring()

    def cancel(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf
