"""The life of a driver: start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading

from ..adapter_lock import AdapterLock
from ..checks import check_identity
from ..dispatcher import Dispatcher, DispatcherClosedError
from ..errors import DriverStateError
from ..interface import Bytes
from ..tasks import within
from ..uuids import normalise_uuid
from .coordinated import Coordinated
from .linking import End
from .radio import GattUUIDs, L, Phase

logger = logging.getLogger(__name__)

#: Seconds of the 5 that `stop` has: to free the radio, and then to end its dispatcher.
STOP_TIME, DISPATCHER_TIME = 4.5, 0.5
#: Seconds that attempts to connect get to take themselves back before the radio is closed.
ATTEMPTS_TIME = 1.5


class BaseDriver(Coordinated[L]):
    """A `BLEDriverInterface` that lacks only the radio.

    Args:
        dispatcher: where to run; by default a thread of this driver's own, which ends with `stop`.
        connect_timeout: seconds after which an attempt to connect is given up (PROTOCOL.md: at most 10).
        adapter_lock: by which the adapter is shared with other programs (see `share_adapter`); None: it is not.

    Raises:
        InvalidOptionError: an option is out of range.
    """

    def __init__(
        self,
        *,
        dispatcher: Dispatcher | None = None,
        connect_timeout: float = 10.0,
        adapter_lock: AdapterLock | None = None,
    ) -> None:
        super().__init__(dispatcher, connect_timeout, adapter_lock)
        self._stopped = threading.Event()

    def start(self, service_uuid: str, rx_char_uuid: str, tx_char_uuid: str, identity_char_uuid: str) -> None:
        uuids = GattUUIDs(*map(normalise_uuid, (service_uuid, rx_char_uuid, tx_char_uuid, identity_char_uuid)))
        with self._lock:
            if self._phase is not Phase.STOPPED:
                so = "started already" if self._phase is Phase.STARTED else "still stopping"
                raise DriverStateError(f"the driver is {so}: it can be started again once it has stopped")
            self._phase = Phase.STARTED
        self._uuids = uuids
        self._radio_up = asyncio.Event()  # an Event belongs to the loop that first waits for it
        self._stopped.clear()
        self._reporting = True
        self._dispatcher.start()
        self._dispatcher.call_soon(self._begin_to_look)
        self._dispatcher.call_soon(self._kick)

    def stop(self) -> None:
        with self._lock:
            phase = self._phase
            if phase is Phase.STARTED:
                self._phase = Phase.STOPPING
        if phase is Phase.STOPPING and not self._dispatcher.is_current:
            self._stopped.wait(STOP_TIME + DISPATCHER_TIME)  # somebody else is at it
        if phase is not Phase.STARTED:
            return
        if self._dispatcher.is_current:
            self._reporting = False
            self._dispatcher.spawn(self._shut_down_and_close())
            return
        try:
            self._dispatcher.run(self._shut_down(), timeout=STOP_TIME)
        except TimeoutError:
            logger.error(
                "%s: the radio was not closed in time; a callback blocks, or the radio hangs", type(self).__name__
            )
        except DispatcherClosedError:
            logger.error("%s: its dispatcher was closed before it, and the radio is left as it is", type(self).__name__)
        self._reporting = False
        self._finish_stop()

    def _finish_stop(self) -> None:
        self._look_no_more()
        if self._owns_dispatcher:
            self._dispatcher.close(timeout=DISPATCHER_TIME)
        with self._lock:
            self._links.clear()
            self._attempts.clear()
            self._phase = Phase.STOPPED
        self._stopped.set()

    async def _shut_down_and_close(self) -> None:
        try:
            await within(STOP_TIME, self._shut_down())
        except TimeoutError:
            logger.error("%s: the radio was not closed in time", type(self).__name__)
        self._finish_stop()

    async def _shut_down(self) -> None:
        """End everything that is under way, report the links as gone, and free the radio."""
        self._want_scanning = self._want_advertising = False
        self._keep_no_more()
        tasks = [self._control_task] if self._control_task is not None else []
        self._control_task = self._last_error = None  # now: what follows may be cut short if the radio hangs
        with self._lock:
            attempts, self._attempts = self._attempts, {}  # so that nobody reports their end
        for attempt in attempts.values():
            attempt.finish(End.STOPPED)
            if attempt.task is not None:
                tasks.append(attempt.task)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=ATTEMPTS_TIME)
        self._forget_radio()
        try:
            await self._close_radio()
        except Exception:
            logger.exception("%s: closing the radio raised", type(self).__name__)
        await self._give_up_lock()

    def set_identity(self, identity_bytes: Bytes) -> None:
        self._identity = check_identity(identity_bytes)
        with self._lock:
            started = self._phase is Phase.STARTED
        if started:
            with contextlib.suppress(DispatcherClosedError):  # somebody has stopped it meanwhile
                self._dispatcher.call_soon(self._identity_changed)
