"""Wait until bluetoothd has the adapter and it is powered; report what it is.

python -m tests.bluez.guest_side.adapter [SECONDS]
"""

from __future__ import annotations

import sys
import time
from typing import Any

import dbus

from .report import say

PATH = "/org/bluez/hci0"
INTERFACE = "org.bluez.Adapter1"


def look() -> dict[str, Any] | None:
    """Return the adapter's properties, or None if there is no powered adapter."""
    try:
        objects = dbus.Interface(
            dbus.SystemBus().get_object("org.bluez", "/", introspect=False), "org.freedesktop.DBus.ObjectManager"
        ).GetManagedObjects()
    except dbus.DBusException:
        return None  # bluetoothd is not on the bus yet
    properties = objects.get(PATH, {}).get(INTERFACE)
    return properties if properties is not None and properties["Powered"] else None


def main() -> None:
    """Poll, because this must work while neither bus nor daemon nor adapter is there."""
    deadline = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 30.0)
    while (properties := look()) is None:
        if time.monotonic() > deadline:
            say("no adapter")
            raise SystemExit(1)
        time.sleep(0.1)
    say(
        "adapter",
        address=str(properties["Address"]),
        address_type=str(properties["AddressType"]),
        name=str(properties["Name"]),
        roles=[str(role) for role in properties.get("Roles", ())],
    )


if __name__ == "__main__":
    main()
