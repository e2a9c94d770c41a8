"""What one instance of the service does, whatever it is spoken to by: the requests, and how they wait."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from .device_lock import DeviceLock, Holder, Moment, Refusal, Refused, Wish
from .errors import CoordinationError
from .feed import Feed
from .limits import WAITER_CONFIRMED_EVERY
from .store import FeedEntry, Snapshot, Store
from .tasks import end_tasks

logger = logging.getLogger(__name__)

#: Bytes of randomness in a key: nobody guesses it.
KEY_BYTES = 24


@dataclass(frozen=True)
class Granted:
    """The lock is held, by whoever has `key`."""

    key: str
    holder: Holder


@dataclass(frozen=True)
class Denied:
    """The lock was not granted.

    Attributes:
        why: what stood in the way.
        waited: whether the request waited for it until its time was over.
        holder: who has the lock.
    """

    why: Refusal
    waited: bool
    holder: Holder | None


class CoordinationService:
    """Grants locks on devices.

    Args:
        store: what keeps them; opened by `start` and closed by `stop`.
        on_entry: called with each change, by whichever instance it was made.
        on_resync: called when changes were missed: what is known has been read anew.
    """

    def __init__(self, store: Store, on_entry: Callable[[FeedEntry], object], on_resync: Callable[[], object]) -> None:
        self.store = store
        self.feed = Feed(store, self._take, self._take_all)
        self._on_entry = on_entry
        self._on_resync = on_resync
        # By ticket: the requests that wait here.
        self._waiting: dict[str, asyncio.Event] = {}
        self._started = False

    async def start(self) -> None:
        """Open the store and follow it; harmless when that is so already.

        Raises:
            CoordinationError: the store cannot be used.
        """
        if self._started:
            return
        self._started = True
        try:
            await self.store.open()
            await self.feed.start()
        except BaseException:
            await self.store.close()
            raise

    async def stop(self) -> None:
        """Close the store; harmless when stopped."""
        await self.feed.stop()
        await self.store.close()

    # --- requests -----------------------------------------------------------------------------------------------------

    async def request(self, device_name: str, wish: Wish, wait: float, gone: asyncio.Event) -> Granted | Denied:
        """Ask for a lock.

        Args:
            device_name: on what.
            wish: what for.
            wait: seconds to wait for it if it is not to be had at once; 0 does not wait.
            gone: set when whoever asks has gone away. It is not given a lock then.

        Raises:
            CoordinationError: the store cannot be reached, or a bound is met.
        """
        key = secrets.token_urlsafe(KEY_BYTES)
        ticket = secrets.token_hex(8) if wait > 0 else None
        task = asyncio.create_task(self._request(device_name, wish, key, ticket, wait, gone))
        try:
            answer = await asyncio.shield(task)
        except BaseException:
            # Cancelled, or the store failed half way: the grant may be made all the same, and nobody has its key.
            gone.set()
            await asyncio.wait([task])
            await self._take_back(device_name, key, ticket)
            raise
        if gone.is_set() or (isinstance(answer, Denied) and ticket is not None):
            await self._take_back(device_name, key, ticket)
        return answer

    async def _request(
        self, device_name: str, wish: Wish, key: str, ticket: str | None, wait: float, gone: asyncio.Event
    ) -> Granted | Denied:
        loop = asyncio.get_running_loop()
        digest, deadline = _digest(key), loop.time() + wait
        wake = asyncio.Event()
        if ticket is not None:
            self._waiting[ticket] = wake
        try:
            while True:
                wake.clear()
                outcome, holder = await self.store.change(
                    device_name, lambda lock, moment: (lock.request(moment, wish, digest, ticket), lock.holder)
                )
                if isinstance(outcome, Holder):
                    return Granted(key, outcome)
                left = deadline - loop.time()
                if isinstance(outcome, Refused) or left <= 0 or gone.is_set():
                    return Denied(outcome.why, ticket is not None, holder)
                await _first_of(wake, gone, min(left, WAITER_CONFIRMED_EVERY))
        finally:
            if ticket is not None:
                del self._waiting[ticket]

    async def _take_back(self, device_name: str, key: str, ticket: str | None) -> None:
        """Leave nothing of a request that was not granted, or whose grant nobody takes."""

        def step(lock: DeviceLock, moment: Moment) -> None:
            lock.release(moment, _digest(key))
            if ticket is not None:
                lock.withdraw(moment, ticket)

        try:
            await self.store.change(device_name, step)
        except CoordinationError as error:
            logger.warning("a request for %s stays until its time runs out: %s", device_name, error)

    async def renew(self, device_name: str, key: str, timeout: float | None) -> Holder | None:
        """Begin the lease of a lock anew; None if the key is dead."""
        return await self.store.change(device_name, lambda lock, moment: lock.renew(moment, _digest(key), timeout))

    async def release(self, device_name: str, key: str) -> Holder | None:
        """End a lock; None if the key is dead."""
        return await self.store.change(device_name, lambda lock, moment: lock.release(moment, _digest(key)))

    async def force_release(
        self, device_name: str, by: str, note: str | None, fencing_number: int | None
    ) -> Holder | None:
        """End a lock without its key; None if there is none, or another than the one with `fencing_number`."""
        return await self.store.change(
            device_name, lambda lock, moment: lock.force_release(moment, by, note, fencing_number)
        )

    async def device(self, device_name: str) -> DeviceLock:
        """Return the state of one device as the store has it at this moment."""

        def step(lock: DeviceLock, moment: Moment) -> DeviceLock:
            lock.settle(moment)
            return lock

        return await self.store.change(device_name, step)

    async def status(self) -> Snapshot:
        """Return the state of all devices as the store has it at this moment."""
        snapshot = await self.store.snapshot()
        for lock in snapshot.locks.values():
            lock.settle(Moment(self.store.now(), snapshot.version))
        return snapshot

    # --- changes ------------------------------------------------------------------------------------------------------

    def _take(self, entry: FeedEntry) -> None:
        self._wake_first(entry.lock)
        self._on_entry(entry)

    def _take_all(self) -> None:
        for lock in self.feed.locks.values():
            self._wake_first(lock)
        self._on_resync()

    def _wake_first(self, lock: DeviceLock) -> None:
        if lock.holder is None and lock.waiters:
            wake = self._waiting.get(lock.waiters[0].ticket)
            if wake is not None:
                wake.set()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def _first_of(one: asyncio.Event, other: asyncio.Event, timeout: float) -> None:
    """Wait until either event is set, or the time is over."""
    tasks = [asyncio.create_task(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_tasks(*tasks)
