"""What happens on other threads and by signals, one after the other, for the main thread.

So each example is a program that reads from top to bottom, and nothing in it needs a lock.
"""

from __future__ import annotations

import queue
import signal
import time
from types import FrameType

#: SimpleQueue takes no infinite time-out.
LONGEST_WAIT = 3600.0


class Interrupted(Exception):
    """Ctrl-C, SIGTERM, or nobody reads our output any more: time to end.

    Attributes:
        signum: which signal.
    """

    def __init__(self, signum: signal.Signals) -> None:
        super().__init__(f"interrupted by {signum.name}")
        self.signum = signum


class Inbox:
    """A queue of happenings. From the first signal on, the next one read is its `Interrupted`."""

    def __init__(self) -> None:
        # The one queue that a signal handler may put into while the main thread waits for it.
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._interrupted: Interrupted | None = None

    def catch_signals(self) -> None:
        """Turn Ctrl-C and SIGTERM into happenings; on the main thread."""
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, self._on_signal)

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        self.interrupt(signal.Signals(signum))

    def interrupt(self, signum: signal.Signals) -> None:
        """End the program as this signal would."""
        if self._interrupted is None:
            self._interrupted = Interrupted(signum)
            self._queue.put(None)  # wakes up whoever waits

    def put(self, happening: object) -> None:
        """Add a happening; from any thread."""
        self._queue.put(happening)

    @property
    def waiting(self) -> int:
        """How many happenings nobody has read yet."""
        return self._queue.qsize()

    def get(self, deadline: float) -> object | None:
        """Return the next happening; None when it is `deadline` on the monotonic clock.

        Raises:
            Interrupted: there was a signal.
        """
        while True:
            if self._interrupted is not None:
                raise self._interrupted
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return None
            try:
                happening = self._queue.get(timeout=min(remaining, LONGEST_WAIT))
            except queue.Empty:
                continue
            if happening is not None:
                return happening
