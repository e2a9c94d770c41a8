"""What this service instance knows of the store, kept up to date by reading the store's feed.

There is one way by which a change arrives, whoever made it: the feed, read by the number of the last change that is
known. A hint makes that quick; without one it is read every `Store.poll_interval` seconds. If changes are missing from
the feed, because this instance was away for more than it keeps, everything is read anew.

The same loop ends what time has ended: it sleeps until the next lease runs out and then has the store settle that
device. Every instance does so; the store sees to it that one of them ends the lease and tells of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable

from .device_lock import DeviceLock
from .errors import StoreFormatError, StoreUnavailableError
from .limits import HISTORY_LENGTH
from .store import FeedEntry, Store, Told
from .tasks import end_tasks

logger = logging.getLogger(__name__)

#: Seconds before a deadline is looked at again that the store did not find due: clocks are a little off.
LOOK_AGAIN = 0.01


class Feed:
    """The state of all devices as of `version`.

    Args:
        store: an open store.
        on_entry: called with each change.
        on_resync: called after everything was read anew, because changes are missing.

    Attributes:
        version: of the last change that is known.
        locks: the devices that are locked or waited for.
        history: what happened last, oldest first.
        is_current: whether the store answered when it was last asked.
    """

    def __init__(self, store: Store, on_entry: Callable[[FeedEntry], object], on_resync: Callable[[], object]) -> None:
        self._store = store
        self._on_entry = on_entry
        self._on_resync = on_resync
        self.version = 0
        self.locks: dict[str, DeviceLock] = {}
        self.history: deque[Told] = deque(maxlen=HISTORY_LENGTH)
        self.is_current = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read everything, then follow the store until `stop`."""
        await self._read_all()
        self.is_current = True
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow no more; harmless when stopped."""
        await end_tasks(self._task)
        self._task = None

    async def _follow(self) -> None:
        while True:
            self._store.hint.clear()
            try:
                await self._catch_up()
                pause = await self._end_what_is_due()
                self._set_current(None)
            except (StoreUnavailableError, StoreFormatError) as error:
                pause = self._store.poll_interval
                self._set_current(error)
            except Exception:
                pause = self._store.poll_interval
                logger.exception("following the store raised")
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._store.hint.wait(), pause)

    def _set_current(self, error: Exception | None) -> None:
        if error is not None and self.is_current:
            logger.warning("the store does not answer, asking again until it does: %s", error)
        elif error is None and not self.is_current:
            logger.info("the store answers again")
        self.is_current = error is None

    async def _catch_up(self) -> None:
        entries = await self._store.entries_after(self.version)
        if entries is None:
            logger.info("changes after %d are gone from the store's feed: reading everything", self.version)
            await self._read_all()
            self._on_resync()
            return
        for entry in entries:
            self.version = entry.version
            if entry.lock.is_free:
                self.locks.pop(entry.lock.device_name, None)
            else:
                self.locks[entry.lock.device_name] = entry.lock
            self.history.extend(entry.told)
            self._on_entry(entry)

    async def _read_all(self) -> None:
        snapshot = await self._store.snapshot()
        self.version, self.locks = snapshot.version, snapshot.locks
        self.history = deque(snapshot.history, maxlen=HISTORY_LENGTH)

    async def _end_what_is_due(self) -> float:
        """Have the store settle the devices whose time has come; return the seconds until the next."""
        now, pause = self._store.now(), self._store.poll_interval
        for name, lock in list(self.locks.items()):
            if lock.next_deadline <= now:
                await self._store.change(name, DeviceLock.settle)
                pause = min(pause, LOOK_AGAIN)
            else:
                pause = min(pause, max(lock.next_deadline - now, LOOK_AGAIN))
        return pause
