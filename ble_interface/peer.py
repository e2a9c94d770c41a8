"""One peer: its packets to frames, its frames to packets, for as long as it has a link."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ble_driver import (
    DispatcherClosedError,
    DriverStateError,
    FrameTooLargeError,
    NotConnectedError,
    Role,
    frame_size,
)

from .errors import PeerGoneError
from .fragmentation import Fragmenter, check_packet
from .outbox import Outbox
from .traffic import Traffic

if TYPE_CHECKING:
    from .interface import BLEInterface
    from .peer_link import PeerLink


class BLEPeerInterface:
    """One peer, as the stack above sees it. Made and ended by a `BLEInterface`, never by hand.

    It stays the same while its link is replaced by another, as after a change of address.

    Attributes:
        interface: the `BLEInterface` it belongs to.
        identity: the peer's 16 bytes. Not authenticated: it is what the peer says it is.
        link: what carries its packets now.
        online: whether there is such a link.
        traffic: what was carried and dropped.
        since: the time of the dispatcher at which it came.
    """

    def __init__(self, interface: BLEInterface, identity: bytes, link: PeerLink) -> None:
        self.interface = interface
        self.identity = identity
        self.online = True
        self.traffic = Traffic()
        self._driver = interface.driver
        self._dispatcher = interface.driver.dispatcher
        self.since = self._dispatcher.time()
        self._outbox = Outbox(interface.settings.outbox_size)
        self._held: bytes | None = None  # taken from the outbox, but not taken by the driver
        self.link = link
        self._fragmenter = Fragmenter(frame_size(link.mtu))

    def __str__(self) -> str:
        return f"BLEPeerInterface[{self.interface.name}/{self.identity.hex()}]"

    @property
    def name(self) -> str:
        """The name of the interface and the start of the peer's identity."""
        return f"{self.interface.name}/{self.identity.hex()[:8]}"

    @property
    def address(self) -> str:
        """Where the peer is now."""
        return self.link.address

    @property
    def role(self) -> Role:
        """The role this node plays on the link."""
        return self.link.role

    @property
    def mtu(self) -> int:
        """The ATT MTU in bytes."""
        return self.link.mtu

    @property
    def rxb(self) -> int:
        """Bytes of packets received."""
        return self.traffic.rx_bytes

    @property
    def txb(self) -> int:
        """Bytes of packets handed to the radio."""
        return self.traffic.tx_bytes

    @property
    def dropped(self) -> Counter[str]:
        """Frames and packets that were dropped on the way in, by reason."""
        return self.traffic.dropped

    @property
    def outbox_dropped(self) -> int:
        """Packets that were pushed out of the outbox because the peer is too slow."""
        return self._outbox.dropped

    @property
    def waiting(self) -> int:
        """Bytes of packets that wait in the outbox."""
        return len(self._outbox)

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
            self._held = packet
            try:
                refused = self._driver.send_frames([self.link.address], self._fragmenter.fragment(packet))
            except (NotConnectedError, DriverStateError):
                return  # the report that the link is gone is on its way, and perhaps another link takes over
            except FrameTooLargeError:
                return  # the report that the MTU is smaller now is on its way
            if refused:
                return  # on_send_ready comes back here
            self._held = None
            self.traffic.tx_bytes += len(packet)
            self.traffic.tx_packets += 1
            self.link.sent = self._dispatcher.time()

    # --- in -----------------------------------------------------------------------------------------------------------

    def deliver(self, packet: bytes) -> None:
        """Hand a packet that has arrived to the owner; on the dispatcher."""
        self.traffic.rx_bytes += len(packet)
        self.traffic.rx_packets += 1
        self.interface.deliver(packet, self)

    # --- life ---------------------------------------------------------------------------------------------------------

    def use(self, link: PeerLink) -> None:
        """Carry packets over this link from now on, beginning with those that it held back."""
        self.link = link
        link.count_drops_in(self.dropped)
        self._fragmenter = Fragmenter(frame_size(link.mtu))
        for packet in link.release():
            self.deliver(packet)
        self.flush()

    def mtu_changed(self) -> None:
        """Cut frames to the link's new ATT MTU from the next packet on."""
        self._fragmenter = Fragmenter(frame_size(self.link.mtu))
        self.flush()

    def close(self) -> None:
        """There is no link any more: what waits for one is lost, and counted."""
        self.online = False
        unsent = self._outbox.clear() + (self._held is not None)
        if unsent:
            self.traffic.dropped["unsent"] += unsent
