"""A lock for as long as a block of code runs."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from types import TracebackType

from .client import DeviceCoordinationClient
from .errors import LockLostError
from .held_lock import HeldLock
from .limits import DEFAULT_LEASE
from .lock_type import LockType
from .tasks import end_tasks


class DeviceCoordinationContext:
    """Holds the lock of a device while the body of ``async with`` runs: renews it, releases it at the end.

    When the lock is lost (overridden, released by force, or the service does not answer until the lease is over), the
    body is cancelled at once, and ``async with`` raises LockLostError.

    Args:
        client: a connected client.
        device: whose lock.
        lock_type: what for.
        user: who, as others will read it.
        timeout: the lease in seconds: how long after the death of this program others have to wait.
        reason: why, for people.
        plan_uid: the plan that it belongs to, if any.
        wait: seconds to wait for the lock, 300 at most.

    Raises:
        LockRefusedError: at the beginning: the lock was not granted.
        LockLostError: at the end: the body was cancelled because the lock was lost.
        CoordinationError: at the beginning: the service could not be asked.
    """

    def __init__(
        self,
        client: DeviceCoordinationClient,
        device: str,
        lock_type: LockType,
        user: str,
        *,
        timeout: float = DEFAULT_LEASE,
        reason: str = "",
        plan_uid: str | None = None,
        wait: float = 0.0,
    ) -> None:
        request = partial(client.request_lock, device, lock_type, user, reason=reason, plan_uid=plan_uid, wait=wait)
        self._acquire = partial(HeldLock.acquire, client, request, timeout)
        self._lock: HeldLock | None = None
        self._watch: asyncio.Task[None] | None = None
        self._lost: LockLostError | None = None

    async def __aenter__(self) -> HeldLock:
        self._lost = None
        self._lock = await self._acquire()
        body = asyncio.current_task()
        assert body is not None
        self._watch = asyncio.create_task(self._cancel_when_lost(self._lock, body))
        return self._lock

    async def _cancel_when_lost(self, lock: HeldLock, body: asyncio.Task[object]) -> None:
        self._lost = await lock.wait_lost()
        body.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._lock is not None
        assert self._watch is not None
        cancelled = kind is asyncio.CancelledError
        try:
            await end_tasks(self._watch)
        except asyncio.CancelledError:  # it came just as the body ended
            cancelled = True
            await end_tasks(self._watch)
        await self._lock.release()
        # From Python 3.11 on a task counts who wants it cancelled: somebody else may as well.
        wanted = 0
        if self._lost is not None and sys.version_info >= (3, 11):
            task = asyncio.current_task()
            wanted = 0 if task is None else task.uncancel()
        if cancelled and self._lost is not None and not wanted:
            raise self._lost from None
        if cancelled and kind is None:
            raise asyncio.CancelledError
