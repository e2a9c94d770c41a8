"""The nouns of the contract: device, role, state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag

from .address import AddressType

#: What radios say in dBm when they do not know a signal strength (PROTOCOL.md, Advertising).
RSSI_UNKNOWN = frozenset({0, -127, -128})


class DriverState(Flag):
    """What the radio is doing. A flag, because a mesh node scans and advertises at once."""

    IDLE = 0
    SCANNING = 1
    ADVERTISING = 2


class Role(Enum):
    """The role a node plays on one link (Core Spec 5.4, Vol 1, Part A, 1.2)."""

    CENTRAL = "central"
    PERIPHERAL = "peripheral"


@dataclass(frozen=True)
class BLEDevice:
    """One advertisement, as seen by the scanner.

    Attributes:
        address: the advertiser's address, ``AA:BB:CC:DD:EE:FF``.
        name: the local name in the advertisement, or None. Names never identify a peer.
        rssi: received signal strength in dBm, or None if the radio does not say (`RSSI_UNKNOWN` means the same).
        address_type: public, random, or unknown.
        manufacturer_data: the manufacturer-specific records: company identifier and what follows it.
    """

    address: str
    name: str | None
    rssi: int | None
    address_type: AddressType = AddressType.UNKNOWN
    manufacturer_data: tuple[tuple[int, bytes], ...] = ()
