"""What bleak hears as the values of the contract. Imports bleak for its types only, as those do who just listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ble_driver import AddressType, BLEDevice
from ble_driver.types import RSSI_UNKNOWN

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice as FoundDevice
    from bleak.backends.scanner import AdvertisementData

_KINDS = {"public": AddressType.PUBLIC, "random": AddressType.RANDOM}


def device_of(device: FoundDevice, advertisement: AdvertisementData) -> BLEDevice:
    """Return what one advertisement tells."""
    return BLEDevice(
        device.address.upper(),
        advertisement.local_name,
        None if advertisement.rssi in RSSI_UNKNOWN else advertisement.rssi,
        _KINDS.get(device.details.get("props", {}).get("AddressType"), AddressType.UNKNOWN),
        tuple(advertisement.manufacturer_data.items()),
    )


def offers(advertisement: AdvertisementData, service: str) -> bool:
    """Whether a service is advertised; its UUID in lower case. What others on the adapter scan for is heard as well."""
    return service in (uuid.lower() for uuid in advertisement.service_uuids)
