"""The rules of the contract, kept once for all drivers.

A driver derives from `BaseDriver` and writes only what is its radio's own: seven coroutines that do what they are
told, and calls of the `_report_…` methods when something happens. Threads, order, bounds, the connecting set, exactly
one report per event and a clean end are looked after here.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from .address import normalise_address
from .async_dispatcher import AsyncDispatcher
from .checks import check_device_name, check_frame, check_identity, check_seconds
from .dispatcher import Dispatcher
from .errors import (
    BLEDriverError,
    ConnectCancelledError,
    ConnectTimeoutError,
    DriverStateError,
    LinkError,
    NotConnectedError,
    RadioError,
    SendQueueFull,
)
from .interface import BLEDriverInterface, Bytes
from .links import Link, Packet
from .types import BLEDevice, DriverState, Role
from .uuids import normalise_uuid

logger = logging.getLogger(__name__)

#: Bytes that wait for one peer before `send` refuses more: at a slow 10 kB/s, less than two seconds.
SEND_QUEUE_BYTES = 16_384
#: Frames from one write request to the next. A write command is acknowledged by nobody: the sender's system takes it
#: whatever the radio does, and the receiver's drops what it cannot take in time. A request is answered only when all
#: before it were taken (PROTOCOL.md, BlueZ facts).
WINDOW = 8
#: Seconds that one link may take to close before it is given up; `stop` has 5 in all.
CLOSE_TIMEOUT = 3.0
#: Seconds between attempts to bring up a radio that failed: the first and the longest.
RETRY_FIRST, RETRY_MAX = 0.5, 5.0

L = TypeVar("L", bound=Link)


@dataclass(frozen=True)
class GattUUIDs:
    """The service and its characteristics, normalised."""

    service: str
    rx: str
    tx: str
    identity: str


class _Phase(Enum):
    STOPPED = auto()
    STARTED = auto()
    STOPPING = auto()


class _End(Enum):
    """Why an attempt to connect was ended from outside."""

    TIMED_OUT = auto()
    CANCELLED = auto()  # by disconnect
    SUPERSEDED = auto()  # the peer's own link came first
    STOPPED = auto()


@dataclass(eq=False)
class _Attempt:
    address: str
    task: asyncio.Task[object] | None = None
    end: _End | None = None

    def finish(self, end: _End) -> None:
        if self.end is None:
            self.end = end
            if self.task is not None:
                self.task.cancel()


class BaseDriver(BLEDriverInterface, Generic[L]):
    """A `BLEDriverInterface` that lacks only the radio.

    Args:
        dispatcher: where to run; by default a thread of this driver's own, which ends with `stop`.
        connect_timeout: seconds after which an attempt to connect is given up (PROTOCOL.md: at most 10).

    Raises:
        InvalidOptionError: an option is out of range.
    """

    def __init__(self, *, dispatcher: Dispatcher | None = None, connect_timeout: float = 10.0) -> None:
        self._owns_dispatcher = dispatcher is None
        self._dispatcher = dispatcher or AsyncDispatcher()
        self._connect_timeout = check_seconds("connect_timeout", connect_timeout)
        self._identity: bytes | None = None
        self._uuids: GattUUIDs | None = None
        # Guards what methods on any thread look at: phase, links with their queues, attempts. Held for a few lines,
        # never across a callback or an await.
        self._lock = threading.Lock()
        self._phase = _Phase.STOPPED
        self._stopped = threading.Event()
        self._links: dict[str, L] = {}
        self._attempts: dict[str, _Attempt] = {}
        # The rest belongs to the dispatcher. What is wanted and what is so; `_control` makes them equal.
        self._want_scanning = self._scanning = False
        self._want_advertising = self._advertising = False
        self._advertising_ended = False
        self._device_name: str | None = None
        self._radio_up = asyncio.Event()
        self._control_task: asyncio.Task[object] | None = None
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
        """Start or stop to advertise `_device_name` and the service; raise RadioError on failure."""

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

    async def _transmit_packet(self, link: L, packet: Packet) -> None:
        """Send the frames of one packet. A radio whose links share something overrides this to keep them together."""
        for frame in packet:
            acknowledged = link.role is Role.CENTRAL and link.unacknowledged in (None, WINDOW - 1)
            link.unacknowledged = 0 if acknowledged else (link.unacknowledged or 0) + 1
            await self._transmit(link, frame, acknowledged)

    def _identity_changed(self) -> None:
        """Make `_identity` readable; for radios that do not look at it when it is read."""

    # --- what a radio reports; to be called on the dispatcher ---------------------------------------------------------

    def _report_device(self, device: BLEDevice) -> None:
        if self._scanning:
            self._emit(self.on_device_discovered, device)

    def _report_link(self, link: L) -> bool:
        """A peer has connected to us. Return False if the link is not wanted: the driver is to close it."""
        with self._lock:
            if self._phase is not _Phase.STARTED or link.address in self._links:
                return False
            self._links[link.address] = link
            attempt = self._attempts.pop(link.address, None)
        if attempt is not None:
            attempt.finish(_End.SUPERSEDED)
        self._emit(self.on_device_connected, link.address, link.mtu)
        return True

    def _report_link_lost(self, link: L) -> None:
        """A link is gone; harmless if that is known."""
        with self._lock:
            link.closing = True
            if self._links.get(link.address) is not link:
                return
            del self._links[link.address]
        self._emit(self.on_device_disconnected, link.address)

    def _report_frame(self, link: L, frame: bytes) -> None:
        """A frame arrived. What comes before its link was reported is dropped: no peer that keeps the protocol
        sends before the handshake."""
        if self._links.get(link.address) is link:
            self._emit(self.on_data_received, link.address, frame)

    def _report_mtu(self, link: L, mtu: int) -> None:
        """The MTU that bounds frames on this link has changed."""
        with self._lock:
            if link.mtu == mtu:
                return
            link.mtu = mtu
            known = self._links.get(link.address) is link
        if known:
            self._emit(self.on_mtu_changed, link.address, mtu)

    def _report_advertising_ended(self) -> None:
        """The radio has stopped to advertise by itself; it begins again if that is still wanted."""
        # The flag is for an end that comes before `_set_advertising` has returned: a central may be that quick.
        self._advertising_ended, self._advertising = True, False
        self._kick()

    def _report_radio_lost(self, error: RadioError) -> None:
        """The radio is gone with all its links; it is brought up again until that succeeds."""
        self._radio_up.clear()
        self._scanning = self._advertising = False
        for link in list(self._links.values()):
            self._report_link_lost(link)
        self._report_error(error)
        if self._control_task is not None:  # it may be waiting for the radio that is gone
            self._control_task.cancel()
            self._control_task = None
        self._kick()

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

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self, service_uuid: str, rx_char_uuid: str, tx_char_uuid: str, identity_char_uuid: str) -> None:
        uuids = GattUUIDs(*map(normalise_uuid, (service_uuid, rx_char_uuid, tx_char_uuid, identity_char_uuid)))
        with self._lock:
            if self._phase is not _Phase.STOPPED:
                so = "started already" if self._phase is _Phase.STARTED else "still stopping"
                raise DriverStateError(f"the driver is {so}: it can be started again once it has stopped")
            self._phase = _Phase.STARTED
        self._uuids = uuids
        self._radio_up = asyncio.Event()  # an Event belongs to the loop that first waits for it
        self._stopped.clear()
        self._reporting = True
        self._dispatcher.start()
        self._dispatcher.call_soon(self._kick)

    def stop(self) -> None:
        with self._lock:
            phase = self._phase
            if phase is _Phase.STARTED:
                self._phase = _Phase.STOPPING
        if phase is _Phase.STOPPING and not self._dispatcher.is_current:
            self._stopped.wait(CLOSE_TIMEOUT + 2.0)  # somebody else is at it
        if phase is not _Phase.STARTED:
            return
        if self._dispatcher.is_current:
            self._reporting = False
            self._dispatcher.spawn(self._shut_down_and_close())
            return
        try:
            self._dispatcher.run(self._shut_down(), timeout=CLOSE_TIMEOUT + 1.0)
        except TimeoutError:
            logger.error(
                "%s: the radio was not closed in time; a callback blocks, or the radio hangs", type(self).__name__
            )
        self._reporting = False
        self._finish_stop()

    def _finish_stop(self) -> None:
        if self._owns_dispatcher:
            self._dispatcher.close(timeout=1.0)
        with self._lock:
            self._links.clear()
            self._attempts.clear()
            self._phase = _Phase.STOPPED
        self._stopped.set()

    async def _shut_down_and_close(self) -> None:
        try:
            await asyncio.wait_for(self._shut_down(), CLOSE_TIMEOUT)
        except asyncio.TimeoutError:
            logger.error("%s: the radio was not closed in time", type(self).__name__)
        self._finish_stop()

    async def _shut_down(self) -> None:
        """End everything that is under way, report the links as gone, and free the radio."""
        self._want_scanning = self._want_advertising = False
        tasks = [self._control_task] if self._control_task is not None else []
        with self._lock:
            attempts, self._attempts = self._attempts, {}  # so that nobody reports their end
        for attempt in attempts.values():
            attempt.finish(_End.STOPPED)
            if attempt.task is not None:
                tasks.append(attempt.task)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT / 2)
        links = list(self._links.values())
        for link in links:
            self._report_link_lost(link)
        try:
            await self._close_radio()
        except Exception:
            logger.exception("%s: closing the radio raised", type(self).__name__)
        self._radio_up.clear()
        self._scanning = self._advertising = False
        self._control_task = None
        self._last_error = None

    def set_identity(self, identity_bytes: Bytes) -> None:
        self._identity = check_identity(identity_bytes)
        with self._lock:
            started = self._phase is _Phase.STARTED
        if started:
            self._dispatcher.call_soon(self._identity_changed)

    @property
    def dispatcher(self) -> Dispatcher:
        return self._dispatcher

    @property
    def state(self) -> DriverState:
        state = DriverState.IDLE
        if self._scanning:
            state |= DriverState.SCANNING
        if self._advertising:
            state |= DriverState.ADVERTISING
        return state

    # --- being found and finding --------------------------------------------------------------------------------------

    def start_scanning(self) -> None:
        self._post_want(scanning=True)

    def stop_scanning(self) -> None:
        self._post_want(scanning=False)

    def start_advertising(self, device_name: str | None = None) -> None:
        self._post_want(advertising=True, name=check_device_name(device_name))

    def stop_advertising(self) -> None:
        self._post_want(advertising=False)

    def _post_want(
        self, scanning: bool | None = None, advertising: bool | None = None, name: str | None = None
    ) -> None:
        self._require_started()
        self._dispatcher.call_soon(self._want, scanning, advertising, name)

    def _want(self, scanning: bool | None, advertising: bool | None, name: str | None) -> None:
        if scanning is not None:
            self._want_scanning = scanning
        if advertising is not None:
            self._want_advertising, self._device_name = advertising, name
        self._kick()

    def _require_started(self) -> None:
        if self._phase is not _Phase.STARTED:
            raise DriverStateError("the driver is not started: call start first")

    def _kick(self) -> None:
        """Let `_control` look whether there is something to do."""
        if self._control_task is None and self._phase is _Phase.STARTED:
            self._control_task = self._dispatcher.spawn(self._control())

    async def _control(self) -> None:
        """Bring the radio from what it does to what is wanted, step by step, for as long as it takes."""
        retry = RETRY_FIRST
        while (step := self._next_step()) is not None:
            try:
                await step
            except RadioError as error:
                self._report_error(error)
                await asyncio.sleep(retry)
                retry = min(2 * retry, RETRY_MAX)
            else:
                retry = RETRY_FIRST
                self._last_error = None
        self._control_task = None

    def _next_step(self) -> Coroutine[Any, Any, None] | None:
        if not self._radio_up.is_set():
            return self._bring_up()
        if self._scanning != self._want_scanning:
            return self._turn_scanning(self._want_scanning)
        if self._advertising != self._want_advertising:
            return self._turn_advertising(self._want_advertising)
        return None

    async def _bring_up(self) -> None:
        try:
            await self._open_radio()
        except BaseException:
            await self._close_radio()
            raise
        self._radio_up.set()

    async def _turn_scanning(self, on: bool) -> None:
        await self._set_scanning(on)
        self._scanning = on

    async def _turn_advertising(self, on: bool) -> None:
        self._advertising_ended = False
        await self._set_advertising(on)
        self._advertising = on and not self._advertising_ended

    # --- links --------------------------------------------------------------------------------------------------------

    def connect(self, address: str) -> None:
        address = normalise_address(address)
        with self._lock:
            self._require_started()
            if address in self._links or address in self._attempts:
                return
            attempt = self._attempts[address] = _Attempt(address)
        self._dispatcher.call_soon(self._begin_attempt, attempt)

    def _begin_attempt(self, attempt: _Attempt) -> None:
        self._dispatcher.spawn(self._dial(attempt))

    async def _dial(self, attempt: _Attempt) -> None:
        # Only a task that runs may be cancelled: one that has not begun would never come to its end below.
        attempt.task = asyncio.current_task()
        address, link, error = attempt.address, None, None
        timer = self._dispatcher.call_later(self._connect_timeout, attempt.finish, _End.TIMED_OUT)
        try:
            if attempt.end is not None:
                raise asyncio.CancelledError
            await self._radio_up.wait()
            link = await self._open_link(address)
        except LinkError as raised:
            error = raised
        except asyncio.CancelledError:
            error = self._why_ended(attempt)
        except Exception as raised:
            logger.exception("%s: dialling %s raised", type(self).__name__, address)
            error = LinkError(f"dialling {address} failed: {raised!r}")
        timer.cancel()
        with self._lock:
            if self._attempts.get(address) is not attempt:
                return  # superseded by the peer's own link, or stopped
            del self._attempts[address]
            if link is not None:
                self._links[address] = link
        if link is not None:
            self._emit(self.on_device_connected, address, link.mtu)
        else:
            self._emit(self.on_connection_failed, address, error)

    def _why_ended(self, attempt: _Attempt) -> LinkError:
        if attempt.end is _End.TIMED_OUT:
            return ConnectTimeoutError(f"{attempt.address} did not answer within {self._connect_timeout:g} s")
        return ConnectCancelledError(f"the attempt to connect to {attempt.address} was given up")

    def disconnect(self, address: str) -> None:
        address = normalise_address(address)
        with self._lock:
            attempt, link = self._attempts.get(address), self._links.get(address)
            if self._phase is not _Phase.STARTED or (attempt is None and link is None):
                return
        if attempt is not None:
            self._dispatcher.call_soon(attempt.finish, _End.CANCELLED)
        if link is not None:
            self._dispatcher.call_soon(self._begin_close, link)

    def _begin_close(self, link: L) -> None:
        if not link.closing:
            link.closing = True
            self._dispatcher.spawn(self._close(link))

    async def _close(self, link: L) -> None:
        try:
            await asyncio.wait_for(self._close_link(link), CLOSE_TIMEOUT)
        except (LinkError, asyncio.TimeoutError) as error:
            logger.warning("%s: closing the link to %s: %r", type(self).__name__, link.address, error)
        finally:
            self._report_link_lost(link)

    @property
    def connected_peers(self) -> list[str]:
        with self._lock:
            return list(self._links)

    @property
    def connecting_peers(self) -> list[str]:
        with self._lock:
            return list(self._attempts)

    def peer_role(self, address: str) -> Role | None:
        link = self._links.get(normalise_address(address))
        return link.role if link is not None else None

    def peer_identity(self, address: str) -> bytes | None:
        link = self._links.get(normalise_address(address))
        return link.identity if link is not None else None

    # --- frames -------------------------------------------------------------------------------------------------------

    def send(self, address: str, data: Bytes) -> None:
        if self.send_frames([address], [data]):
            raise SendQueueFull(f"{SEND_QUEUE_BYTES} bytes wait for {address}: wait for on_send_ready")

    def send_frames(self, addresses: Sequence[str], frames: Sequence[Bytes]) -> list[str]:
        full, idle = [], []
        with self._lock:
            self._require_started()
            links = [self._require_link(address) for address in addresses]
            limit = min((link.frame_size for link in links), default=0)
            packet = tuple(check_frame(frame, limit, ", ".join(addresses)) for frame in frames) if links else ()
            for link in links:
                if not link.queue.offer(packet, SEND_QUEUE_BYTES):
                    full.append(link.address)
                elif not link.queue.draining:
                    link.queue.draining = True
                    idle.append(link)
        for link in idle:
            self._dispatcher.call_soon(self._begin_drain, link)
        return full

    def _require_link(self, address: str) -> L:
        # Addresses come back to us as we spelt them; another spelling is looked up the slow way.
        link = self._links.get(address) or self._links.get(normalise_address(address))
        if link is None or link.closing:
            raise NotConnectedError(f"there is no link to {address}")
        return link

    def _begin_drain(self, link: L) -> None:
        self._dispatcher.spawn(self._drain(link))

    async def _drain(self, link: L) -> None:
        """Send what is queued for one peer; ends when the queue is empty or the link is lost."""
        queue = link.queue
        while not link.closing:
            with self._lock:
                packet = queue.take()
                if packet is None:
                    queue.draining = False
                    return
                ready = queue.has_room_again(SEND_QUEUE_BYTES)
            if ready:
                self._emit(self.on_send_ready, link.address)
            try:
                await self._transmit_packet(link, packet)
            except LinkError as error:
                logger.info("%s: sending to %s failed, closing the link: %s", type(self).__name__, link.address, error)
                self._begin_close(link)
            except Exception:
                logger.exception("%s: sending to %s raised, closing the link", type(self).__name__, link.address)
                self._begin_close(link)
