"""A lock that is held: it renews itself, and says when it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from .client import DeviceCoordinationClient
from .device_lock import Action
from .errors import CoordinationError, LeaseLapsedError, LockLostError, LockRefusedError
from .tasks import end_tasks
from .updates import LockAnswer, LockUpdate, Status

logger = logging.getLogger(__name__)

#: How often a lease is renewed within its time, and the share of it that is left to stop in, in seconds at most.
RENEWALS, MARGIN, MAX_MARGIN = 3.0, 0.1, 1.0
#: Seconds until a renewal that failed is tried again, as a share of the lease.
RETRY = 0.05


class HeldLock:
    """A lock, from its grant until it is released or lost.

    Attributes:
        device_name: of what.
        fencing_number: of this grant.
    """

    def __init__(self, client: DeviceCoordinationClient, answer: LockAnswer, lease: float) -> None:
        assert answer.lock_key is not None
        assert answer.fencing_number is not None
        self.device_name = answer.device_name
        self.fencing_number = answer.fencing_number
        self._client = client
        self._key = answer.lock_key
        self._lease = lease
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + lease
        self._lost: asyncio.Future[LockLostError] = self._loop.create_future()
        self._released = False
        self._keeping: asyncio.Task[None] | None = None
        self._remove = [client.add_lock_update_callback(self._on_update), client.add_status_callback(self._on_status)]

    @classmethod
    async def acquire(
        cls,
        client: DeviceCoordinationClient,
        request: Callable[..., Awaitable[LockAnswer]],
        lease: float,
    ) -> HeldLock:
        """Ask for a lock and hold it.

        Args:
            client: a connected client.
            request: its `request_lock` with all arguments but the lease, as by `functools.partial`.
            lease: in seconds.

        Raises:
            LockRefusedError: it was not granted.
            LockLostError: it was lost before it arrived here.
            CoordinationError: the service could not be asked.
        """
        await client.start_websocket_monitoring()
        answer = await request(timeout=lease)
        if not answer.success:
            raise LockRefusedError(answer.message or f"the lock of {answer.device_name} was not granted")
        lock = cls(client, answer, lease)
        try:
            # The answer may have been under way for long, and the lock lost meanwhile. A renewal tells, and from when
            # the lease counts.
            await lock._renew()
        except BaseException:
            await lock.release()
            raise
        if lock.lost is not None:
            await lock.release()
            raise lock.lost
        lock._keeping = asyncio.create_task(lock._keep())
        return lock

    @property
    def lost(self) -> LockLostError | None:
        """Why the lock is lost; None while it is held."""
        return self._lost.result() if self._lost.done() else None

    async def wait_lost(self) -> LockLostError:
        """Wait until the lock is lost, and return why."""
        return await asyncio.shield(self._lost)

    async def release(self) -> None:
        """End the lock. If the service does not answer, its lease ends it. Harmless when it is lost or released."""
        if self._released:
            return
        self._released = True
        for remove in self._remove:
            remove()
        await end_tasks(self._keeping)
        if self.lost is None:
            try:
                await self._client.release_lock(self.device_name, self._key)
            except CoordinationError as error:
                logger.warning("the lock of %s stays until its lease runs out: %s", self.device_name, error)

    # --- keeping it ---------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Renew until it is lost; what cannot be renewed is given up before the lease is over."""
        pause = self._lease / RENEWALS
        while self.lost is None:
            end = self._deadline - min(self._lease * MARGIN, MAX_MARGIN)
            await asyncio.sleep(max(0.0, min(pause, end - self._loop.time())))
            if self._loop.time() >= end:
                self._lose("the service did not answer before the lease was over", LeaseLapsedError)
                return
            try:
                await asyncio.wait_for(self._renew(), end - self._loop.time())
                pause = self._lease / RENEWALS
            except (CoordinationError, asyncio.TimeoutError) as error:
                if pause != self._lease * RETRY:
                    logger.warning("the lock of %s cannot be renewed, trying again: %s", self.device_name, error)
                pause = self._lease * RETRY

    async def _renew(self) -> None:
        # The service counts from when it renews, which is after we ask: so we believe in less than is true.
        asked_at = self._loop.time()
        answer = await self._client.renew_lock(self.device_name, self._key)
        if answer.success:
            self._deadline = asked_at + self._lease
        else:
            self._lose(answer.message or "its key is dead")

    def _on_update(self, update: LockUpdate) -> None:
        if (update.device_name, update.fencing_number) != (self.device_name, self.fencing_number):
            return
        if update.action is Action.FORCE_RELEASED:
            note = f": {update.note}" if update.note else ""
            self._lose(f"{update.by} took it{note}")
        elif update.action is Action.EXPIRED:
            self._lose("its lease ran out")
        elif update.action is Action.RELEASED:
            self._lose("it was released with its own key")

    def _on_status(self, status: Status) -> None:
        if status.version < self.fencing_number:
            return  # from an instance that does not know of our grant yet
        device = status.devices.get(self.device_name)
        holder = device.holder if device is not None else None
        if holder is None or holder.fencing_number > self.fencing_number:
            self._lose("it ended while the connection to the service was lost")

    def _lose(self, why: str, error: type[LockLostError] = LockLostError) -> None:
        if not self._lost.done() and not self._released:
            self._lost.set_result(error(f"the lock of {self.device_name} is lost: {why}"))
