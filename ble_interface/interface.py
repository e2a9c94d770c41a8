"""The interface: peers come and go, packets go in and out.

Out: `BLEPeerInterface.process_outgoing` → outbox → fragmenter → `driver.send_frames`.
In: `driver.on_data_received` → link table (handshake, or) → reassembler → delivery → `owner.inbound`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from ble_driver import BLEDriverInterface, check_identity

from .errors import InterfaceStateError
from .gatt import IDENTITY_CHAR_UUID, RX_CHAR_UUID, TX_CHAR_UUID
from .node import Node
from .peer import BLEPeerInterface
from .recent_frames import RecentFrames
from .settings import InterfaceSettings
from .status import InterfaceStatus, status_of
from .status_socket import StatusSocket, StatusSocketError

logger = logging.getLogger(__name__)


class Owner(Protocol):
    """The stack above: anything with this method."""

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> Any:
        """Take one packet from one peer. Called in order, on a thread of its own: it may block."""


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
        recent_frames: the frames of packets that were just sent; for `BLEPeerInterface`.

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
        self.recent_frames = RecentFrames()
        self._node: Node | None = None
        self._status_socket: StatusSocket | None = None

    def __str__(self) -> str:
        return f"BLEInterface[{self.name}]"

    @property
    def peers(self) -> list[BLEPeerInterface]:
        """The peers there are now."""
        node = self._node
        return list(node.peers.values()) if node is not None else []

    @property
    def identity(self) -> bytes | None:
        """The 16 bytes by which peers know this node; None while it is stopped."""
        node = self._node
        return node.identity if node is not None else None

    def start(self, identity: bytes) -> None:
        """Begin to look for peers and be found by them.

        Args:
            identity: the 16 bytes by which peers know this node.

        Raises:
            DataTypeError, InvalidIdentityError: it is not 16 bytes.
            InterfaceStateError: the interface is started already.
            BLEDriverError: what the driver raises when it cannot be started.
        """
        identity = check_identity(identity)
        if self._node is not None:
            raise InterfaceStateError(f"{self} is started already")
        node = self._node = Node(self, identity)
        node.listen()
        self.driver.set_identity(identity)
        try:
            self.driver.start(self.settings.service_uuid, RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID)
        except BaseException:
            self._node = None
            node.stop()
            raise
        self.driver.start_advertising(self.settings.device_name)
        self.driver.start_scanning()
        if self.settings.status_socket:
            self._open_status_socket()

    def _open_status_socket(self) -> None:
        try:
            self._status_socket = StatusSocket(self.name, self.get_status)
        except StatusSocketError as error:  # the node does without
            logger.warning("%s: %s", self, error)

    def stop(self) -> None:
        """End all links and stop the radio; harmless when stopped. Nothing reaches the owner afterwards."""
        node = self._node
        if node is None:
            return
        status_socket, self._status_socket = self._status_socket, None
        if status_socket is not None:
            status_socket.close()
        self.driver.stop()
        node.stop()
        self._node = None

    def get_status(self) -> InterfaceStatus:
        """Return what there is to know: peers, links, traffic and drops; from any thread, started or not."""
        return status_of(self, self._node)

    def deliver(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Hand a whole packet to the owner, on the owner's thread; for `BLEPeerInterface`."""
        if self._node is not None:
            self._node.deliver(packet, peer)
