"""What the driver needs of bluetoothd besides bleak and the GATT server: the adapter, who is connected, is it alive."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from ble_driver import RadioError

SERVICE = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"

#: What a person can do about an error of D-Bus or BlueZ, by its name.
REMEDIES = {
    "org.freedesktop.DBus.Error.ServiceUnknown": "bluetoothd is not running: sudo systemctl start bluetooth",
    "org.freedesktop.DBus.Error.NameHasNoOwner": "bluetoothd is not running: sudo systemctl start bluetooth",
    "org.freedesktop.DBus.Error.Spawn.ChildExited": "bluetoothd is not running: sudo systemctl start bluetooth",
    "org.freedesktop.DBus.Error.AccessDenied": "this user may not talk to bluetoothd: "
    "sudo usermod -aG bluetooth $USER, then log in again",
    "org.bluez.Error.Blocked": "the adapter is blocked: sudo rfkill unblock bluetooth",
    "org.bluez.Error.NotReady": "the adapter is off: bluetoothctl power on",
}


def device_path(adapter_path: str, address: str) -> str:
    """Return the D-Bus path of a device."""
    return f"{adapter_path}/dev_{address.replace(':', '_')}"


def address_of(path: str) -> str:
    """Return the address in the D-Bus path of a device."""
    return path.rpartition("/dev_")[2].replace("_", ":")


class BlueZ:
    """One connection to D-Bus that watches one adapter.

    Args:
        adapter: the adapter's name, such as ``hci0``.
        on_connected: called with the address of a device and whether it is connected, when that changes.
        on_lost: called with a reason when bluetoothd, D-Bus, the adapter or its power is gone.
    """

    def __init__(
        self, adapter: str, on_connected: Callable[[str, bool], Any], on_lost: Callable[[RadioError], Any]
    ) -> None:
        self.adapter = adapter
        self.path = f"/org/bluez/{adapter}"
        self.address: str | None = None
        self.address_type = "public"
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._bus: MessageBus | None = None

    async def open(self) -> None:
        """Connect, and have the adapter on.

        Raises:
            RadioError: D-Bus, bluetoothd or the adapter cannot be had; the message says what to do.
        """
        bus = MessageBus(bus_type=BusType.SYSTEM)
        try:
            self._bus = await bus.connect()
        except OSError as error:
            bus.disconnect()
            raise RadioError(f"the system D-Bus cannot be reached ({error}): is dbus-daemon running?") from error
        bus.add_message_handler(self._on_message)
        self._watch = asyncio.ensure_future(self._watch_bus(bus))
        for rule in (
            f"type='signal',sender='{SERVICE}',interface='{PROPERTIES}',member='PropertiesChanged'",
            f"type='signal',sender='{SERVICE}',interface='{OBJECT_MANAGER}',member='InterfacesRemoved'",
            f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{SERVICE}'",
        ):
            await self._call(
                "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", [rule]
            )
        objects = (await self._call(SERVICE, "/", OBJECT_MANAGER, "GetManagedObjects"))[0]
        if ADAPTER not in objects.get(self.path, {}):
            there = sorted(path.rpartition("/")[2] for path, parts in objects.items() if ADAPTER in parts)
            raise RadioError(f"there is no adapter {self.adapter}; there is: {', '.join(there) or 'none'}")
        properties = objects[self.path][ADAPTER]
        if not properties["Powered"].value:
            await self._set(self.path, ADAPTER, "Powered", Variant("b", True))
        self.address = properties["Address"].value
        self.address_type = properties["AddressType"].value if "AddressType" in properties else "public"

    async def close(self) -> None:
        """Leave D-Bus."""
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.disconnect()
            await self._watch

    async def _watch_bus(self, bus: MessageBus) -> None:
        """Notice the end of the connection to D-Bus, unless we ended it."""
        with contextlib.suppress(OSError, EOFError):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast's gap
        if self._bus is bus:
            self._on_lost(RadioError("D-Bus has ended; its return is awaited"))

    async def is_connected(self, address: str) -> bool:
        """Whether BlueZ has a link to a device, whoever dialled."""
        try:
            body = await self._call(
                SERVICE, device_path(self.path, address), PROPERTIES, "Get", "ss", [DEVICE, "Connected"]
            )
        except RadioError:
            return False  # BlueZ does not know it
        return bool(body[0].value)

    async def disconnect(self, address: str) -> None:
        """End the link to a device, whoever dialled. Raises RadioError."""
        await self._call(SERVICE, device_path(self.path, address), DEVICE, "Disconnect")

    async def _set(self, path: str, interface: str, name: str, value: Variant) -> None:
        await self._call(SERVICE, path, PROPERTIES, "Set", "ssv", [interface, name, value])

    async def _call(
        self, service: str, path: str, interface: str, member: str, signature: str = "", body: list[Any] | None = None
    ) -> list[Any]:
        if self._bus is None or not self._bus.connected:
            raise RadioError("the connection to D-Bus is closed")
        reply = await self._bus.call(Message(service, path, interface, member, signature=signature, body=body or []))
        if reply is None:
            raise RadioError("D-Bus gave no answer")
        if reply.message_type is MessageType.ERROR:
            name = str(reply.error_name)
            detail = reply.body[0] if reply.body else ""
            raise RadioError(f"{REMEDIES.get(name, f'{member} failed')} ({name}: {detail})")
        return list(reply.body)

    def _on_message(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "PropertiesChanged" and (message.path or "").startswith(self.path):
            interface, changed = message.body[0], message.body[1]
            if interface == DEVICE and "Connected" in changed:
                self._on_connected(address_of(message.path or ""), bool(changed["Connected"].value))
            elif interface == ADAPTER and message.path == self.path and _is_off(changed):
                self._on_lost(RadioError(f"the adapter {self.adapter} was switched off"))
        elif message.member == "InterfacesRemoved":
            path, interfaces = message.body
            if path == self.path and ADAPTER in interfaces:
                self._on_lost(RadioError(f"the adapter {self.adapter} was removed"))
            elif path.startswith(f"{self.path}/dev_") and DEVICE in interfaces:
                self._on_connected(address_of(path), False)
        elif message.member == "NameOwnerChanged" and message.body[0] == SERVICE and not message.body[2]:
            self._on_lost(RadioError("bluetoothd has ended; its return is awaited"))


def _is_off(changed: dict[str, Variant]) -> bool:
    return "Powered" in changed and not changed["Powered"].value
