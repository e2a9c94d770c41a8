"""A watchdog: something that must be fed, and bites when it was not.

It runs on a thread of its own, because what it watches over is the event loop: a loop that is blocked cannot notice
that it is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from .checks import check_seconds

logger = logging.getLogger(__name__)

#: Called without arguments, on the thread that looked.
WatchdogCallback = Callable[[], object]


class Watchdog:
    """Calls back once when it was not fed for `timeout` seconds, and once more after each later feeding.

    All methods may be called from any thread, `feed` and `stop` also from the callback. Time is monotonic, so setting
    the clock of the machine starves nobody.

    Args:
        timeout: seconds without `feed` after which it calls back.
        interval: seconds between two looks; so the call comes up to this much late.
        callback: what to call; see `set_callback`.
        clock: a monotonic time in seconds. It says how old the last feed is; the pause between two looks is real.
        name: the thread's name, as debuggers show it, and that of the watchdog in the log.
        log_level: of the line in the log that tells of a starvation.

    Raises:
        InvalidOptionError: a duration is not above 0.
    """

    def __init__(
        self,
        timeout: float = 60.0,
        interval: float = 20.0,
        callback: WatchdogCallback | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        name: str = "ble-watchdog",
        log_level: int = logging.WARNING,
    ) -> None:
        self._log_level = log_level
        self._timeout = check_seconds("timeout", timeout)
        self._interval = check_seconds("interval", interval)
        self._callback = callback
        self._clock = clock
        self._name = name
        self._lock = threading.Lock()  # guards the rest; never held across the callback
        self._fed = clock()
        self._fired = False
        self._stopped = threading.Event()  # of the present run; the next run has one of its own
        self._thread: threading.Thread | None = None

    @property
    def timeout(self) -> float:
        """Seconds without `feed` after which it calls back."""
        return self._timeout

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on the watchdog's thread, and so within its callback."""
        return self._thread is threading.current_thread()

    def feed(self) -> None:
        """Report life: the count starts anew."""
        with self._lock:
            self._fed = self._clock()
            self._fired = False

    def set_callback(self, callback: WatchdogCallback | None) -> None:
        """Set what is called on starvation; None for nothing but a line in the log."""
        with self._lock:
            self._callback = callback

    setCallback = set_callback  # the name it is known by elsewhere

    def check(self) -> bool:
        """Look once, and call back if it starves and has not been called for that yet; return whether it did.

        What the callback raises is logged and goes no further.
        """
        with self._lock:
            hungry = self._clock() - self._fed
            if self._fired or hungry < self._timeout:
                return False
            self._fired = True
            callback = self._callback
        logger.log(self._log_level, "%s has not been fed for %.1f s", self._name, hungry)
        if callback is not None:
            try:
                callback()
            except Exception:
                logger.exception("the callback of %s raised", self._name)
        return True

    def start(self) -> bool:
        """Look once, then sleep the interval, on the caller's thread: ``while dog.start(): ...`` is a watch.

        Returns:
            Whether to go on: false, and at once, after `stop`.
        """
        with self._lock:
            stopped = self._stopped
        return self._look_and_sleep(stopped)

    def _look_and_sleep(self, stopped: threading.Event) -> bool:
        if stopped.is_set():
            return False
        self.check()
        return not stopped.wait(self._interval)

    def start_in_thread(self, daemon: bool = True) -> threading.Thread:
        """Look every interval on a thread of its own until `stop`; the count starts now.

        Harmless if such a thread runs already. May be started again after `stop`.

        Args:
            daemon: the thread does not keep the program alive.

        Returns:
            The thread.
        """
        with self._lock:
            if self._thread is not None and not self._stopped.is_set():
                return self._thread
            self._stopped = threading.Event()
            self._fed, self._fired = self._clock(), False
            self._thread = threading.Thread(target=self._watch, args=(self._stopped,), name=self._name, daemon=daemon)
            self._thread.start()
            return self._thread

    def _watch(self, stopped: threading.Event) -> None:
        while self._look_and_sleep(stopped):
            pass

    def stop(self, timeout: float | None = None) -> bool:
        """End the watch and wait for its thread, and with it for a callback that it is in.

        Harmless if nothing runs. From the callback itself it does not wait.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether the thread has ended; if so, the callback is not called again.
        """
        with self._lock:
            self._stopped.set()
            thread = self._thread
        if thread is None:
            return True
        if not self.is_current:
            thread.join(timeout)
        return not thread.is_alive()


class WatchdogLevels:
    """Several watchdogs on one feed: what to do grows with how long nothing was heard.

    ``WatchdogLevels({30.0: restart_the_scan, 60.0: restart_the_driver, 120.0: power_cycle_the_adapter})``

    Each level has a thread of its own: a callback that blocks must not keep the next, sterner one from being called.

    Args:
        levels: what to call after how many seconds without `feed`.
        interval: seconds between two looks.
        clock: see `Watchdog`.
        name: see `Watchdog`; each level adds its seconds.

    Raises:
        InvalidOptionError: a duration is not above 0.
    """

    def __init__(
        self,
        levels: Mapping[float, WatchdogCallback],
        interval: float = 10.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        name: str = "ble-watchdog",
    ) -> None:
        self.watchdogs = tuple(
            Watchdog(timeout, interval, callback, clock=clock, name=f"{name}-{timeout:g}s")
            for timeout, callback in sorted(levels.items())
        )

    def feed(self) -> None:
        """Report life to every level."""
        for watchdog in self.watchdogs:
            watchdog.feed()

    def check(self) -> int:
        """Look once, mildest level first, on the caller's thread; return how many levels called back."""
        return sum(watchdog.check() for watchdog in self.watchdogs)

    def start_in_thread(self, daemon: bool = True) -> None:
        """Start every level; see `Watchdog.start_in_thread`."""
        for watchdog in self.watchdogs:
            watchdog.start_in_thread(daemon)

    def stop(self, timeout: float | None = None) -> bool:
        """End every level within `timeout` seconds in all; return whether all threads have ended.

        From a callback of one of the levels it does not wait, as another might be waiting for this one.
        """
        # First all are told, so that none calls back while another is waited for.
        ended = [watchdog.stop(0.0) for watchdog in self.watchdogs]
        if any(watchdog.is_current for watchdog in self.watchdogs):
            return all(ended)
        deadline = None if timeout is None else time.monotonic() + timeout
        ended = [
            watchdog.stop(None if deadline is None else max(0.0, deadline - time.monotonic()))
            for watchdog in self.watchdogs
        ]
        return all(ended)
