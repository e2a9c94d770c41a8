"""Use up all advertisements that the adapter can have, and say how many that were.

python -m tests.bluez.guest_side.advertisers
"""

from __future__ import annotations

import dbus
import dbus.mainloop.glib
import dbus.service
from bluezero import advertisement
from gi.repository import GLib

from .report import say

ADAPTER = "/org/bluez/hci0"
#: More than any controller has.
MOST = 100


def main() -> None:
    """Register one after the other until bluetoothd refuses, then hold them."""
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    manager = dbus.Interface(
        dbus.SystemBus().get_object("org.bluez", ADAPTER, introspect=False), "org.bluez.LEAdvertisingManager1"
    )
    held: list[advertisement.Advertisement] = []

    def another() -> None:
        held.append(advertisement.Advertisement(len(held) + 1, "peripheral"))
        held[-1].service_UUIDs = ["180F"]
        manager.RegisterAdvertisement(
            held[-1].get_path(), dbus.Dictionary({}, signature="sv"), reply_handler=registered, error_handler=refused
        )

    def registered() -> None:
        if len(held) < MOST:
            another()

    def refused(error: dbus.exceptions.DBusException) -> None:
        say("full", advertisements=len(held) - 1, error=str(error))

    another()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
