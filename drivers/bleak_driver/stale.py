"""Devices of which bluetoothd tells what they offered once, and not what they advertise.

As soon as bluetoothd has read the services of a device, in either role, `UUIDs` are those, and advertised ones are
ignored for as long as it knows the device: while somebody scans and the device advertises, for ever (seen on BlueZ
5.66). A node whose service went before its link did, or that comes back with another service, is heard by nobody
then. So devices without our service are forgotten when there is no link any more, and are new with their next
advertisement. Those that have it are kept, and with them what bluetoothd has read: it need not read it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEVICE = "org.bluez.Device1"
GATT_SERVICE = "org.bluez.GattService1"
#: What makes a device worth keeping: it is in use, or a person has chosen it.
_KEEPS = ("Connected", "Paired", "Trusted")

#: What bluetoothd has, by path and interface: the properties, each with a `value`.
Objects = Mapping[str, Mapping[str, Mapping[str, Any]]]


def is_dispensable(device: Mapping[str, Any]) -> bool:
    """Whether nobody misses a device, by its properties, when bluetoothd forgets it."""
    return not any(device[name].value for name in _KEEPS if name in device)


def stale_devices(objects: Objects, adapter_path: str, service: str) -> list[str]:
    """Return the paths of dispensable devices that were linked once, and seem not to offer a service (lower case)."""
    read = {path.rpartition("/")[0] for path, parts in objects.items() if GATT_SERVICE in parts}
    return [
        path
        for path, parts in objects.items()
        if path in read
        and path.startswith(f"{adapter_path}/")
        and is_dispensable(parts[DEVICE])
        and service not in uuids_of(parts[DEVICE])
    ]


def uuids_of(device: Mapping[str, Any]) -> list[str]:
    """Return the services of a device, by its properties."""
    return [uuid.lower() for uuid in device["UUIDs"].value] if "UUIDs" in device else []
