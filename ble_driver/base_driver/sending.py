"""Frames on their way out: bounded queues, and the order of what goes to one peer."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..address import normalise_address
from ..checks import check_frame
from ..errors import LinkError, NotConnectedError, SendQueueFull
from ..interface import Bytes
from ..links import Packet
from ..types import Role
from .linking import Linking
from .radio import L

logger = logging.getLogger(__name__)

#: Bytes that wait for one peer before `send` refuses more: at a slow 10 kB/s, less than two seconds.
SEND_QUEUE_BYTES = 16_384
#: Frames from one write request to the next. A write command is acknowledged by nobody: the sender's system takes it
#: whatever the radio does, and the receiver's drops what it cannot take in time. A request is answered only when all
#: before it were taken (PROTOCOL.md, BlueZ facts).
WINDOW = 8


class Sending(Linking[L]):
    """Queues frames from any thread, and has one task per link that sends them."""

    def send(self, address: str, data: Bytes) -> None:
        if self.send_frames([address], [data]):
            raise SendQueueFull(f"{SEND_QUEUE_BYTES} bytes wait for {address}: wait for on_send_ready")

    def send_frames(self, addresses: Sequence[str], frames: Sequence[Bytes]) -> list[str]:
        full, idle = [], []
        with self._lock:
            self._require_started()
            links = [self._require_link(address) for address in addresses]
            limit = min((link.frame_size for link in links), default=0)
            to = ", ".join(addresses)
            packet = tuple([check_frame(frame, limit, to) for frame in frames]) if links else ()
            for link in links if packet else ():
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

    async def _transmit_packet(self, link: L, packet: Packet) -> None:
        """Send the frames of one packet. A radio whose links share something overrides this to keep them together."""
        for frame in packet:
            acknowledged = link.role is Role.CENTRAL and link.unacknowledged in (None, WINDOW - 1)
            link.unacknowledged = 0 if acknowledged else (link.unacknowledged or 0) + 1
            await self._transmit(link, frame, acknowledged)
