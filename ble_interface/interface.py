"""The interface: peers come and go, packets go in and out.

Out: `BLEPeerInterface.process_outgoing` → outbox → fragmenter → `driver.send_frames`.
In: `driver.on_data_received` → handshake or peer → reassembler → delivery → `owner.inbound`.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ble_driver import (
    BLEDevice,
    BLEDriverInterface,
    DriverStateError,
    LinkError,
    NotConnectedError,
    Role,
    Timer,
    check_identity,
)

from .delivery import Delivery
from .dialing import MAX_REMEMBERED, DialPolicy
from .errors import InterfaceStateError
from .gatt import HANDSHAKE_TIMEOUT, IDENTITY_CHAR_UUID, RX_CHAR_UUID, TX_CHAR_UUID
from .peer import BLEPeerInterface
from .settings import InterfaceSettings

logger = logging.getLogger(__name__)

#: Seconds that the owner is given to take what has arrived when the interface stops.
LAST_DELIVERY_TIMEOUT = 1.0


class Owner(Protocol):
    """The stack above: anything with this method."""

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> Any:
        """Take one packet from one peer. Called in order, on a thread of its own: it may block."""


@dataclass(eq=False)
class _Session:
    """What is known of one link, from its report until its end."""

    address: str
    role: Role
    mtu: int
    peer: BLEPeerInterface | None = None
    refused: bool = False
    overdue: Timer | None = None


class BLEInterface:
    """Finds peers, links to them, and carries packets.

    Args:
        owner: takes the packets that arrive.
        name: what the interface is called in logs.
        driver: the radio; the interface takes over its callbacks, except `on_error`, and starts and stops it.
        **settings: see `InterfaceSettings`.

    Attributes:
        on_peer_connected: called with a `BLEPeerInterface` before its first packet, on the owner's thread.
        on_peer_disconnected: called with it after its last.
        dropped: frames that belong to no peer, by reason.

    Raises:
        SettingError: a setting does not exist or has a bad value.
    """

    def __init__(self, owner: Owner, name: str, driver: BLEDriverInterface, **settings: Any) -> None:
        self.owner = owner
        self.name = name
        self.driver = driver
        self.settings = InterfaceSettings.from_mapping(settings)
        self.on_peer_connected: Callable[[BLEPeerInterface], Any] | None = None
        self.on_peer_disconnected: Callable[[BLEPeerInterface], Any] | None = None
        self.dropped: Counter[str] = Counter()
        self._identity: bytes | None = None
        self._sessions: dict[str, _Session] = {}
        self._peers: dict[bytes, BLEPeerInterface] = {}
        self._looks: dict[str, Timer] = {}  # at devices that were heard too early to be dialled
        self._dialing: DialPolicy | None = None
        self._delivery: Delivery | None = None

    def __str__(self) -> str:
        return f"BLEInterface[{self.name}]"

    @property
    def peers(self) -> list[BLEPeerInterface]:
        """The peers there are now."""
        return list(self._peers.values())

    @property
    def identity(self) -> bytes | None:
        """The 16 bytes by which peers know this node; None while it is stopped."""
        return self._identity

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self, identity: bytes) -> None:
        """Begin to look for peers and be found by them.

        Args:
            identity: the 16 bytes by which peers know this node.

        Raises:
            DataTypeError, InvalidIdentityError: it is not 16 bytes.
            InterfaceStateError: the interface is started already.
        """
        identity = check_identity(identity)
        if self._identity is not None:
            raise InterfaceStateError(f"{self} is started already")
        self._identity = identity
        # Jitter must differ between nodes and be the same in every run of a test: so the identity is its seed.
        self._dialing = DialPolicy(random.Random(identity))
        self._delivery = Delivery(self.driver.dispatcher.create_worker(f"{self.name}-delivery"))
        self.driver.on_device_discovered = self._on_discovered
        self.driver.on_device_connected = self._on_connected
        self.driver.on_device_disconnected = self._on_disconnected
        self.driver.on_data_received = self._on_data
        self.driver.on_connection_failed = self._on_connection_failed
        self.driver.on_mtu_changed = self._on_mtu_changed
        self.driver.on_send_ready = self._on_send_ready
        self.driver.set_identity(identity)
        self.driver.start(self.settings.service_uuid, RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID)
        self.driver.start_advertising(self.settings.device_name)
        self.driver.start_scanning()

    def stop(self) -> None:
        """End all links and stop the radio; harmless when stopped. Nothing reaches the owner afterwards."""
        if self._identity is None:
            return
        self.driver.stop()
        for session in list(self._sessions.values()):  # those the driver did not report, because we are in a callback
            self._on_disconnected(session.address)
        self._identity = None
        for look in self._looks.values():
            look.cancel()
        self._looks.clear()
        if self._delivery is not None:
            self._delivery.close(LAST_DELIVERY_TIMEOUT)

    # --- links; everything below runs on the dispatcher ---------------------------------------------------------------

    def _on_discovered(self, device: BLEDevice) -> None:
        if self._dialing is None or device.address in self._sessions:
            return
        now = self.driver.dispatcher.time()
        if self._dialing.identity_of(device.address) in self._peers:
            return  # the same peer is linked under another address
        address, kind = self.driver.local_address, self.driver.local_address_type
        if not self._dialing.should_dial(device, address, kind, now):
            self._look_again(device, self._dialing.due(device, address, kind) - now)
            return
        dialling = self.driver.connecting_peers
        if device.address in dialling or len(self._sessions) + len(dialling) >= self.settings.max_connections:
            return
        self._dialing.dialled(device.address, now)
        self.driver.connect(device.address)

    def _look_again(self, device: BLEDevice, delay: float) -> None:
        """Decide again when the time has come: BlueZ may report a device whose signal does not vary once in 10 s."""
        if device.address not in self._looks and len(self._looks) < MAX_REMEMBERED:
            self._looks[device.address] = self.driver.dispatcher.call_later(delay, self._look, device)

    def _look(self, device: BLEDevice) -> None:
        del self._looks[device.address]
        self._on_discovered(device)

    def _on_connection_failed(self, address: str, error: LinkError) -> None:
        logger.info("%s: no link to %s: %s", self, address, error)

    def _on_connected(self, address: str, mtu: int) -> None:
        role = self.driver.peer_role(address) or Role.PERIPHERAL
        session = self._sessions[address] = _Session(address, role, mtu)
        identity = self.driver.peer_identity(address)
        if len(self._sessions) > self.settings.max_connections:
            self._refuse(session, f"there are {self.settings.max_connections} links already")
        elif identity is not None:
            self._admit(session, identity)
        else:
            session.overdue = self.driver.dispatcher.call_later(HANDSHAKE_TIMEOUT, self._overdue, session)

    def _overdue(self, session: _Session) -> None:
        if session.peer is None and self._sessions.get(session.address) is session:
            self._refuse(session, f"it did not tell its identity in {HANDSHAKE_TIMEOUT:g} s")

    def _refuse(self, session: _Session, why: str) -> None:
        logger.info("%s: refused the link to %s: %s", self, session.address, why)
        session.refused = True
        self.driver.disconnect(session.address)

    def _admit(self, session: _Session, identity: bytes) -> None:
        """Make a peer of a link whose identity is known, unless it may not have one."""
        if session.overdue is not None:
            session.overdue.cancel()
        if identity == self._identity:
            self._refuse(session, "it claims our own identity")
            return
        if self._dialing is not None:
            self._dialing.linked(session.address, identity, self.driver.dispatcher.time())
        if identity in self._peers:
            # Identity is not authenticated: to evict a live link on a mere claim would be a hijack (PROTOCOL.md).
            self._refuse(session, f"its identity {identity.hex()} has a link already")
            return
        if session.role is Role.CENTRAL and self._identity is not None:
            try:
                self.driver.send(session.address, self._identity)  # the handshake; the driver awaits the answer
            except (NotConnectedError, DriverStateError):
                return  # the report that the link is gone is on its way
        peer = BLEPeerInterface(self, identity, session.address, session.role, session.mtu)
        session.peer = self._peers[identity] = peer
        logger.info("%s: linked to %s at %s as %s", self, identity.hex(), peer.address, peer.role.value)
        self._tell(self.on_peer_connected, peer)

    def _on_disconnected(self, address: str) -> None:
        session = self._sessions.pop(address, None)
        if session is None:
            return
        if session.overdue is not None:
            session.overdue.cancel()
        peer = session.peer
        if peer is None:
            return
        peer.close()
        del self._peers[peer.identity]
        if self._dialing is not None:
            self._dialing.linked(address, peer.identity, self.driver.dispatcher.time())
        logger.info("%s: the link to %s at %s is gone", self, peer.identity.hex(), address)
        self._tell(self.on_peer_disconnected, peer)

    def _on_mtu_changed(self, address: str, mtu: int) -> None:
        session = self._sessions.get(address)
        if session is not None:
            session.mtu = mtu
            if session.peer is not None:
                session.peer.mtu_changed(mtu)

    # --- frames and packets -------------------------------------------------------------------------------------------

    def _on_data(self, address: str, data: bytes) -> None:
        session = self._sessions.get(address)
        if session is None or session.refused:
            return
        if session.peer is not None:
            session.peer.receive(data)
        elif len(data) == len(self._identity or b""):
            self._admit(session, data)
        else:
            self.dropped["before_handshake"] += 1

    def _on_send_ready(self, address: str) -> None:
        session = self._sessions.get(address)
        if session is not None and session.peer is not None:
            session.peer.flush()

    def deliver(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Hand a whole packet to the owner, on the owner's thread."""
        if self._delivery is not None:
            self._delivery.post(len(packet), partial(self.owner.inbound, packet, peer))

    def _tell(self, callback: Callable[[BLEPeerInterface], Any] | None, peer: BLEPeerInterface) -> None:
        if callback is not None and self._delivery is not None:
            self._delivery.post(0, partial(callback, peer))
