"""A node of the random air of `test_mesh_machine`."""

from __future__ import annotations

from collections import Counter

from ble_interface import BLEInterface, BLEPeerInterface, PeerGoneError
from drivers.mock_ble_driver import MockBLEDriver

HOSTILE = "00:00:00:00:00:01"
MAX_PACKET, OUTBOX = 2000, 20_000


class Station:
    """A node of the air: its stack, which knows what it has sent and what it got."""

    def __init__(self, driver: MockBLEDriver, identity: bytes, max_connections: int) -> None:
        self.identity = identity
        self.driver = driver
        self.interface = BLEInterface(
            self, identity.decode().rstrip("."), driver,
            max_connections=max_connections, max_packet=MAX_PACKET, outbox_size=OUTBOX,
        )  # fmt: skip
        self.interface.on_peer_connected = lambda peer: self._news(peer, 1)
        self.interface.on_peer_disconnected = lambda peer: self._news(peer, -1)
        self.got: list[tuple[bytes, bytes]] = []  # identity of the sender, packet
        self.forged: set[bytes] = set()  # whom the hostile node was taken for
        self.up: Counter[bytes] = Counter()
        self.changes = 0
        self.on = False

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        if peer.address == HOSTILE:
            self.forged.add(peer.identity)
        else:
            self.got.append((peer.identity, packet))

    def _news(self, peer: BLEPeerInterface, change: int) -> None:
        self.up[peer.identity] += change
        self.changes += 1

    def switch(self, on: bool) -> None:
        """Start or stop the stack."""
        self.on = on
        if on:
            self.interface.start(self.identity)
        else:
            self.interface.stop()

    @property
    def peers(self) -> set[bytes]:
        return {peer.identity for peer in self.interface.peers}

    def send(self, to: bytes, packet: bytes) -> bool:
        """Send a packet if there is such a peer."""
        for peer in self.interface.peers:
            if peer.identity == to:
                try:
                    peer.process_outgoing(packet)
                except PeerGoneError:
                    return False
                return True
        return False
