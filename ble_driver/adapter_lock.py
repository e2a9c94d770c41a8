"""The lock by which programs share an adapter: a driver holds it while it runs (`ble_coordination`).

Nothing of `ble_coordination` is imported before a driver is given the option ``coordination``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from .errors import AdapterLockError, InvalidOptionError, MissingExtraError
from .reconnect_policy import ReconnectPolicy
from .tasks import within

if TYPE_CHECKING:
    from ble_coordination import HeldLock

logger = logging.getLogger(__name__)

#: Seconds of the lease: how long others wait after this program was killed.
LEASE = 15.0
#: Seconds of one request that waits; it is made again for as long as it takes.
WAIT = 60.0
#: Seconds that the service gets to take the lock back when the driver stops; else the lease ends it.
RELEASE_TIME = 0.5
MODES = ("required", "advisory")


class CoordinationClient(Protocol):
    """A `ble_coordination.DeviceCoordinationClient`: the driver connects it, and nobody else may use it."""

    async def connect(self) -> None: ...

    async def disconnect(self) -> None: ...


def share_adapter(
    coordination: str | CoordinationClient | None, mode: str, device_name: str, adapter: str
) -> AdapterLock | None:
    """Return the lock that a driver's options ask for, None if they ask for none.

    Args:
        coordination: the URL of the service, or a client for it that nobody else uses.
        mode: whether the driver may do without the service: ``required`` or ``advisory``.
        device_name: what the service calls the adapter; empty means as the driver does.
        adapter: what the driver calls it.

    Raises:
        InvalidOptionError: an option has a value that it cannot take.
        MissingExtraError: the client needs what is not installed.
    """
    if mode not in MODES:
        raise InvalidOptionError(f"coordination_mode must be one of {', '.join(MODES)}, not {mode!r}")
    if not isinstance(device_name, str):
        raise InvalidOptionError(f"coordination_device must be a name such as hci0, not {device_name!r}")
    if coordination is None:
        return None
    try:
        from ble_coordination import DeviceCoordinationClient, SettingError
    except ImportError as error:
        raise MissingExtraError(
            f"coordination cannot be used: {error}. Install what it needs: pip install 'ble-interface[coordination]'"
        ) from error
    if isinstance(coordination, str):
        try:
            coordination = DeviceCoordinationClient(coordination)
        except SettingError as error:
            raise InvalidOptionError(f"coordination: {error}") from error
    if not hasattr(coordination, "request_lock"):
        raise InvalidOptionError(f"coordination must be a URL or a DeviceCoordinationClient, not {coordination!r}")
    return AdapterLock(coordination, mode == "required", device_name or adapter)


class AdapterLock:
    """Holds the lock of an adapter, and gets it back when it was lost. All of it on one event loop.

    Args:
        client: of the service.
        required: whether the adapter must be left alone while the service is away.
        device_name: what the service calls the adapter.

    Attributes:
        permits: whether the adapter may be used.
    """

    def __init__(self, client: Any, required: bool, device_name: str) -> None:
        self._client = client
        self._required = required
        self._device_name = device_name
        self._lock: HeldLock | None = None
        self._policy = ReconnectPolicy(initial_delay=0.5, max_delay=10.0)
        self.permits = False

    async def keep(
        self, user: str, on_change: Callable[[], object], on_error: Callable[[AdapterLockError], object]
    ) -> None:
        """Ask for the lock, and again whenever it was lost, until cancelled.

        Args:
            user: who, as others will read it.
            on_change: called when `permits` has changed.
            on_error: told why the adapter may not be used, or that it is used without a lock.
        """
        from ble_coordination import CoordinationError, LockLostError, LockRefusedError

        failures, wait = 0, 0.0
        who = f"{user} {os.getpid()} on {socket.gethostname()}"
        while True:
            try:
                await self._hold(who, wait, on_change, on_error)
            except LockRefusedError as error:
                on_error(AdapterLockError(f"{error}; the adapter is used once it is free"))
                self._permit(False, on_change)
                wait = WAIT
                continue
            except LockLostError:
                pass  # on its way here already
            except CoordinationError as error:
                if self._required:
                    on_error(AdapterLockError(f"the adapter is not used without its lock, and {error}"))
                    self._permit(False, on_change)
                else:
                    on_error(AdapterLockError(f"the adapter is used without its lock: {error}"))
                    self._permit(True, on_change)
                await asyncio.sleep(self._policy.get_delay(failures))
                failures += 1
                continue
            failures, wait = 0, 0.0

    async def _hold(
        self,
        who: str,
        wait: float,
        on_change: Callable[[], object],
        on_error: Callable[[AdapterLockError], object],
    ) -> None:
        """Get the lock and hold it until it is lost."""
        from ble_coordination import HeldLock, LeaseLapsedError, LockType

        await self._client.connect()
        # Whatever else somebody wants the adapter for goes before a program that runs all the time.
        kind = LockType.QUEUE_QUEUED
        request = partial(self._client.request_lock, self._device_name, kind, who, reason="a driver runs", wait=wait)
        lock = self._lock = await HeldLock.acquire(self._client, request, LEASE)
        logger.info("%s holds the lock of %s", who, self._device_name)
        self._permit(True, on_change)
        lost = await lock.wait_lost()
        await lock.release()
        if self._required or not isinstance(lost, LeaseLapsedError):
            on_error(AdapterLockError(f"{lost}; the adapter is left alone until it is free"))
            self._permit(False, on_change)

    def _permit(self, permits: bool, on_change: Callable[[], object]) -> None:
        if permits is not self.permits:
            self.permits = permits
            on_change()

    async def give_up(self) -> None:
        """Release the lock, after `keep` was cancelled and the adapter is free."""
        lock, self._lock = self._lock, None
        self.permits = False
        try:
            await within(RELEASE_TIME, self._end(lock), RELEASE_TIME)
        except TimeoutError:
            logger.warning("the lock of %s stays until its lease runs out", self._device_name)

    async def _end(self, lock: HeldLock | None) -> None:
        if lock is not None:
            await lock.release()
        await self._client.disconnect()
