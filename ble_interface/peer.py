"""One peer: its packets to frames, its frames to packets, for as long as its link lives."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from ble_driver import (
    BLEDriverInterface,
    DispatcherClosedError,
    DriverStateError,
    NotConnectedError,
    Role,
    SendQueueFull,
    frame_size,
)

from .errors import PeerGoneError
from .fragmentation import HEADER_SIZE, Fragmenter, Reassembler, check_packet, is_fragment
from .gatt import KEEPALIVE, KEEPALIVE_INTERVAL, PING, PONG, PROBE_SIZE
from .outbox import Outbox

if TYPE_CHECKING:
    from .interface import BLEInterface


class BLEPeerInterface:
    """The link to one peer, as the stack above sees it. Made and ended by a `BLEInterface`, never by hand.

    Attributes:
        interface: the `BLEInterface` it belongs to.
        identity: the peer's 16 bytes. Not authenticated: it is what the peer says it is.
        address: where the peer is now.
        role: the role this node plays on the link.
        mtu: the ATT MTU in bytes.
        online: whether the link lives.
        rxb, txb: bytes of packets received, and handed to the radio.
        dropped: frames and packets that were dropped on the way in, by reason.
    """

    def __init__(self, interface: BLEInterface, identity: bytes, address: str, role: Role, mtu: int) -> None:
        self.interface = interface
        self.identity = identity
        self.address = address
        self.role = role
        self.mtu = mtu
        self.online = True
        self.rxb = self.txb = 0
        self._driver: BLEDriverInterface = interface.driver
        self._dispatcher = interface.driver.dispatcher
        self._fragmenter = Fragmenter(frame_size(mtu))
        self._reassembler = Reassembler(max_packet=interface.settings.max_packet)
        self._outbox = Outbox(interface.settings.outbox_size)
        self._held: bytes | None = None  # taken from the outbox, but the driver's queue was full
        self._last_sent = self._dispatcher.time()
        self._keepalive = self._dispatcher.call_later(KEEPALIVE_INTERVAL, self._keep_alive)

    def __str__(self) -> str:
        return f"BLEPeerInterface[{self.interface.name}/{self.identity.hex()}]"

    @property
    def name(self) -> str:
        """The name of the interface and the start of the peer's identity."""
        return f"{self.interface.name}/{self.identity.hex()[:8]}"

    @property
    def dropped(self) -> Counter[str]:
        return self._reassembler.dropped

    @property
    def outbox_dropped(self) -> int:
        """Packets that were pushed out of the outbox because the peer is too slow."""
        return self._outbox.dropped

    # --- out ----------------------------------------------------------------------------------------------------------

    def process_outgoing(self, packet: bytes) -> None:
        """Queue one packet to the peer and return at once; from any thread, also from within `owner.inbound`.

        Raises:
            InvalidPacketError: the packet is empty, longer than `max_packet`, or no bytes.
            PeerGoneError: the link is gone.
        """
        packet = check_packet(packet, self.interface.settings.max_packet)
        if self.online and self._outbox.put(packet):
            try:
                self._dispatcher.call_soon(self.flush)
            except DispatcherClosedError:
                self.online = False
        if not self.online:
            raise PeerGoneError(f"there is no link to {self} any more")

    def flush(self) -> None:
        """Hand packets to the driver until there are no more or its queue is full; on the dispatcher."""
        while self.online and (packet := self._held or self._outbox.take()) is not None:
            try:
                refused = self._driver.send_frames([self.address], self._fragmenter.fragment(packet))
            except (NotConnectedError, DriverStateError):
                return  # the report that the link is gone is on its way
            self._held = packet if refused else None
            if refused:
                return  # on_send_ready comes back here
            self.txb += len(packet)
            self._last_sent = self._dispatcher.time()

    def _keep_alive(self) -> None:
        """Send a sign of life when nothing else was sent for long enough."""
        if not self.online:
            return
        now = self._dispatcher.time()
        if now - self._last_sent >= KEEPALIVE_INTERVAL:
            self._send_short(KEEPALIVE)
            self._last_sent = now
        wait = self._last_sent + KEEPALIVE_INTERVAL - now
        self._keepalive = self._dispatcher.call_later(wait, self._keep_alive)

    def _send_short(self, frame: bytes) -> None:
        # A full queue is sign of life enough, and a lost link is reported by itself.
        with contextlib.suppress(SendQueueFull, NotConnectedError, DriverStateError):
            self._driver.send(self.address, frame)

    # --- in -----------------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes) -> None:
        """Take one frame from the peer, of any kind and however broken; on the dispatcher."""
        if len(frame) > HEADER_SIZE:
            if frame == self.identity and not is_fragment(frame):
                self.dropped["repeated_handshake"] += 1
                return
            packet = self._reassembler.receive(frame, self._dispatcher.time())
            if packet is not None:
                self.rxb += len(packet)
                self.interface.deliver(packet, self)
        elif len(frame) == PROBE_SIZE and frame[0] == PING:
            self._send_short(bytes((PONG, frame[1])))
        elif frame != KEEPALIVE:
            self.dropped["malformed"] += 1

    # --- life ---------------------------------------------------------------------------------------------------------

    def mtu_changed(self, mtu: int) -> None:
        """Cut frames to a new ATT MTU from the next packet on."""
        self.mtu = mtu
        self._fragmenter = Fragmenter(frame_size(mtu))

    def close(self) -> None:
        """The link is gone."""
        self.online = False
        self._keepalive.cancel()
