"""Attempts and links: the connecting set, exactly one report of each event, and the end of a link."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from enum import Enum, auto

from ..address import normalise_address
from ..dispatcher import Dispatcher, DispatcherClosedError, Timer
from ..errors import ConnectCancelledError, ConnectTimeoutError, LinkError, PeerRefusedError
from ..tasks import within
from ..types import Role
from .control import Control
from .radio import L, Phase

logger = logging.getLogger(__name__)

#: Seconds that one link may take to close before it is given up.
CLOSE_TIMEOUT = 4.0
#: Seconds that an attempt may take to end once it was told to, before it is left behind: bluetoothd takes 3 to take a
#: connection back.
ABANDON_TIMEOUT = 6.0


class End(Enum):
    """Why an attempt to connect was ended from outside."""

    TIMED_OUT = auto()
    CANCELLED = auto()  # by disconnect
    SUPERSEDED = auto()  # the peer's own link came first
    STOPPED = auto()


@dataclass(eq=False)
class Attempt:
    """One attempt to connect; it may be ended before its task runs."""

    address: str
    task: asyncio.Task[object] | None = None
    end: End | None = None
    timer: Timer | None = None

    def finish(self, end: End) -> None:
        """End it, if it has not been ended for another reason."""
        if self.end is None:
            self.end = end
            if self.task is not None:
                self.task.cancel()


class Linking(Control[L]):
    """Dials, and keeps the links in either role."""

    def __init__(self, dispatcher: Dispatcher | None, connect_timeout: float) -> None:
        super().__init__(dispatcher, connect_timeout)
        self._attempts: dict[str, Attempt] = {}

    # --- what a radio reports; to be called on the dispatcher ---------------------------------------------------------

    def _report_link(self, link: L) -> bool:
        """A peer has connected to us. Return False if the link is not wanted: the driver is to close it."""
        with self._lock:
            if self._phase is not Phase.STARTED or link.address in self._links:
                return False
            self._links[link.address] = link
            attempt = self._attempts.pop(link.address, None)
        if attempt is not None:
            attempt.finish(End.SUPERSEDED)
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

    # --- dialling -----------------------------------------------------------------------------------------------------

    def connect(self, address: str) -> None:
        address = normalise_address(address)
        with self._lock:
            self._require_started()
            if address in self._links or address in self._attempts:
                return
            attempt = self._attempts[address] = Attempt(address)
        self._dispatcher.call_soon(self._begin_attempt, attempt)

    def _begin_attempt(self, attempt: Attempt) -> None:
        self._dispatcher.spawn(self._dial(attempt))

    async def _dial(self, attempt: Attempt) -> None:
        # Only a task that runs may be cancelled: one that has not begun would never come to its end below.
        attempt.task = asyncio.current_task()
        address, link, error = attempt.address, None, None
        attempt.timer = self._dispatcher.call_later(self._connect_timeout, self._end_attempt, attempt, End.TIMED_OUT)
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
        attempt.timer.cancel()
        if link is not None and link.closing:  # nobody would report its end: it was none of ours when it came
            link, error = None, PeerRefusedError(f"{address} ended the link as soon as it was set up")
        with self._lock:
            # Superseded by the peer's own link, stopped, or abandoned.
            reported = self._attempts.get(address) is not attempt
            if not reported:
                del self._attempts[address]
                if link is not None:
                    self._links[address] = link
        if reported:
            if link is not None and attempt.end in (End.TIMED_OUT, End.CANCELLED):
                self._begin_close(link)  # nobody expects it any more
        elif link is not None:
            self._emit(self.on_device_connected, address, link.mtu)
        else:
            self._emit(self.on_connection_failed, address, error)

    def _end_attempt(self, attempt: Attempt, end: End) -> None:
        """End an attempt, and its report with it, should it not heed that."""
        attempt.finish(end)
        if attempt.timer is not None:  # else its task has not begun, and ends as soon as it does
            attempt.timer.cancel()
            attempt.timer = self._dispatcher.call_later(ABANDON_TIMEOUT, self._abandon, attempt)

    def _abandon(self, attempt: Attempt) -> None:
        with self._lock:
            if self._attempts.get(attempt.address) is not attempt:
                return  # it has ended
            del self._attempts[attempt.address]
        logger.error("%s: dialling %s does not end, and is left behind", type(self).__name__, attempt.address)
        self._emit(self.on_connection_failed, attempt.address, self._why_ended(attempt))
        self._check_is_due = True  # a radio on which commands do not end may hang as a whole
        self._kick()

    def _why_ended(self, attempt: Attempt) -> LinkError:
        if attempt.end is End.TIMED_OUT:
            return ConnectTimeoutError(f"{attempt.address} did not answer within {self._connect_timeout:g} s")
        return ConnectCancelledError(f"the attempt to connect to {attempt.address} was given up")

    # --- ending -------------------------------------------------------------------------------------------------------

    def disconnect(self, address: str) -> None:
        address = normalise_address(address)
        with self._lock:
            attempt, link = self._attempts.get(address), self._links.get(address)
            if self._phase is not Phase.STARTED or (attempt is None and link is None):
                return
        with contextlib.suppress(DispatcherClosedError):  # somebody has stopped it meanwhile, which ends both
            if attempt is not None:
                self._dispatcher.call_soon(self._end_attempt, attempt, End.CANCELLED)
            if link is not None:
                self._dispatcher.call_soon(self._begin_close, link)

    def _begin_close(self, link: L) -> None:
        if not link.closing:
            link.closing = True
            self._dispatcher.spawn(self._close(link))

    async def _close(self, link: L) -> None:
        try:
            await within(CLOSE_TIMEOUT, self._close_link(link))
        except (LinkError, TimeoutError, asyncio.TimeoutError) as error:
            logger.warning("%s: closing the link to %s: %r", type(self).__name__, link.address, error)
        finally:
            self._report_link_lost(link)

    # --- what is so ---------------------------------------------------------------------------------------------------

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
