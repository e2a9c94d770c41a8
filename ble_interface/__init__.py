"""The protocol over any Bluetooth LE radio: peers and packets, wire-compatible with Reticulum BLE v2.2.

    interface = BLEInterface(owner, "ble", create_driver("bumble", radio="127.0.0.1:7700"))
    interface.start(identity=os.urandom(16))

``owner`` is any object with ``inbound(packet, peer)``. For Reticulum itself see `ble_interface.reticulum`.
"""

from .errors import (
    BLEInterfaceError,
    FrameSizeError,
    InterfaceStateError,
    InvalidPacketError,
    PeerGoneError,
    SettingError,
)
from .fragmentation import Fragmenter, Reassembler
from .gatt import IDENTITY_CHAR_UUID, RX_CHAR_UUID, SERVICE_UUID, TX_CHAR_UUID
from .interface import BLEInterface, Owner
from .peer import BLEPeerInterface
from .settings import InterfaceSettings
from .states import ConnectionState
from .status import InterfaceStatus, PeerStatus, TrafficStatus

__all__ = [
    "IDENTITY_CHAR_UUID",
    "RX_CHAR_UUID",
    "SERVICE_UUID",
    "TX_CHAR_UUID",
    "BLEInterface",
    "BLEInterfaceError",
    "BLEPeerInterface",
    "ConnectionState",
    "Fragmenter",
    "FrameSizeError",
    "InterfaceSettings",
    "InterfaceStateError",
    "InterfaceStatus",
    "InvalidPacketError",
    "Owner",
    "PeerGoneError",
    "PeerStatus",
    "Reassembler",
    "SettingError",
    "TrafficStatus",
]
