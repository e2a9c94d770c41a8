"""Switching the adapter off and on again, for when bluetoothd answers and the controller does not.

The adapter belongs to the system: switching it off ends every link of every program on it. So that is done only if no
link is a stranger's. Somebody's keyboard or headphones would be gone for a remedy that may not even help; then a person
is told, who can decide. Other programs that scan or advertise are no reason to hold back: they lose a moment of it, and
the controller that we reset does not obey them either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from ble_driver import RadioError

DEVICE = "org.bluez.Device1"
#: Seconds for which the adapter stays off: controllers that are loaded with their firmware again need a moment.
OFF_TIME = 1.0

#: What `GetManagedObjects` returns: by path and interface, the properties.
Objects = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Adapter(Protocol):
    """What is needed of `BlueZ`."""

    adapter: str
    path: str

    async def objects(self) -> Objects:
        """Return all that bluetoothd has."""

    async def set_powered(self, on: bool) -> None:
        """Switch the adapter."""


def strangers(objects: Objects, adapter_path: str, service: str) -> list[str]:
    """Return the names of devices that are connected to an adapter and do not have our service.

    A device without a name is told by its address.
    """
    found = []
    for path, interfaces in objects.items():
        device = interfaces.get(DEVICE)
        if device is None or not path.startswith(f"{adapter_path}/") or not _value(device, "Connected", False):
            continue
        if service not in (uuid.lower() for uuid in _value(device, "UUIDs", [])):
            found.append(str(_value(device, "Alias", path.rpartition("/")[2])))
    return sorted(found)


async def power_cycle(adapter: Adapter, service: str) -> None:
    """Switch an adapter off and on.

    Raises:
        RadioError: others use it, or bluetoothd refuses.
    """
    others = strangers(await adapter.objects(), adapter.path, service)
    if others:
        raise RadioError(
            f"{', '.join(others)} would lose the link: if you can do without, "
            f"bluetoothctl power off; bluetoothctl power on"
        )
    await adapter.set_powered(False)
    await asyncio.sleep(OFF_TIME)
    await adapter.set_powered(True)


def _value(properties: Mapping[str, Any], name: str, default: Any) -> Any:
    return properties[name].value if name in properties else default
