"""What a driver must write for its radio, and what all parts of it share."""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from ..async_dispatcher import AsyncDispatcher
from ..dispatcher import Dispatcher
from ..errors import BLEDriverError, DriverStateError, RadioError
from ..exclusive_control import ExclusiveControlManager
from ..interface import BLEDriverInterface
from ..links import Link
from ..recovery import Recovery

logger = logging.getLogger(__name__)

L = TypeVar("L", bound=Link)


@dataclass(frozen=True)
class GattUUIDs:
    """The service and its characteristics, normalised."""

    service: str
    rx: str
    tx: str
    identity: str


class Phase(Enum):
    """How far the life of a driver has come."""

    STOPPED = auto()
    STARTED = auto()
    STOPPING = auto()


class Radio(BLEDriverInterface, Generic[L]):
    """The state of a driver, the calls that its radio must answer, and the way by which it reports.

    Args:
        dispatcher: see `BaseDriver`.
    """

    def __init__(self, dispatcher: Dispatcher | None) -> None:
        self._owns_dispatcher = dispatcher is None
        self._dispatcher = dispatcher or AsyncDispatcher()
        self._identity: bytes | None = None
        self._uuids: GattUUIDs | None = None
        # Guards what methods on any thread look at: phase, links with their queues, attempts. Held for a few lines,
        # never across a callback or an await.
        self._lock = threading.Lock()
        self._phase = Phase.STOPPED
        self._links: dict[str, L] = {}
        self._exclusive = ExclusiveControlManager()
        self._recovery = Recovery(self._dispatcher.time)
        # The rest belongs to the dispatcher.
        self._radio_up = asyncio.Event()
        self._last_error: str | None = None
        self._reporting = False

    # --- what a radio must be able to do; all run on the dispatcher ---------------------------------------------------

    @abstractmethod
    async def _open_radio(self) -> None:
        """Bring up the radio with `_uuids` and `_identity`; raise RadioError if it cannot be had now."""

    @abstractmethod
    async def _close_radio(self) -> None:
        """Free everything, however far `_open_radio` came."""

    @abstractmethod
    async def _set_scanning(self, on: bool) -> None:
        """Start or stop to scan; report each advertisement by `_report_device`. Raise RadioError on failure."""

    @abstractmethod
    async def _set_advertising(self, on: bool) -> None:
        """Start or stop to advertise `_device_name` and the service; raise RadioError on failure.

        Also called to start while it is advertised already, under another name.
        """

    @abstractmethod
    async def _open_link(self, address: str) -> L:
        """Dial: connect, discover, read the identity, settle the MTU, subscribe. Raise LinkError on failure.

        When cancelled, leave no half-open link behind; a link that the peer has opened meanwhile stays.
        """

    @abstractmethod
    async def _close_link(self, link: L) -> None:
        """End the link at radio level."""

    @abstractmethod
    async def _transmit(self, link: L, frame: bytes, acknowledged: bool) -> None:
        """Send one frame, waiting while the radio is busy; raise LinkError if the link is lost.

        Args:
            link: the link to send on.
            frame: what to send.
            acknowledged: use a write request and wait for the answer; only when this node is central.
        """

    async def _check_radio(self) -> None:
        """Give the radio a command that it always obeys, to see that it answers; raise RadioError if it does not.

        By default nothing is asked, and only the other commands show that a radio hangs.
        """

    async def _power_cycle(self) -> None:
        """Switch the adapter off and on, or reset it, while it is closed.

        Called when opening it anew did not help. Raise RadioError, with the reason, if that cannot be done or would
        harm somebody else who uses the adapter.
        """
        raise RadioError("this radio cannot be switched off and on from here")

    @property
    def _remedy(self) -> str:
        """What a person can do about a radio that does not answer whatever the driver does."""
        return "restart what drives it, or unplug the adapter and plug it in again"

    def _identity_changed(self) -> None:
        """Make `_identity` readable; for radios that do not look at it when it is read."""

    # --- what all parts do --------------------------------------------------------------------------------------------

    @property
    def dispatcher(self) -> Dispatcher:
        return self._dispatcher

    @property
    def exclusive_control(self) -> ExclusiveControlManager:
        """Who has the adapter; to be used on the dispatcher, by whoever wants it for something else for a while."""
        return self._exclusive

    def _require_started(self) -> None:
        if self._phase is not Phase.STARTED:
            raise DriverStateError("the driver is not started: call start first")

    def _report_error(self, error: BLEDriverError) -> None:
        """Say what is wrong, once until it changes: the driver tries again by itself."""
        if str(error) != self._last_error:
            self._last_error = str(error)
            logger.warning("%s: %s", type(self).__name__, error)
            self._emit(self.on_error, error)

    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        if callback is None or not self._reporting:
            return
        try:
            callback(*args)
        except Exception:
            logger.exception("%s: callback %r raised", type(self).__name__, callback)
