"""What the driver needs of bluetoothd besides bleak and the GATT server: the adapter, who is connected, is it alive."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from ble_driver import LinkError, LinkRaceError, RadioError

from .errors import link_error, past_races, words_of
from .remedies import REMEDIES
from .stale import DEVICE, is_dispensable, stale_devices, uuids_of

SERVICE = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
PROPERTIES = "org.freedesktop.DBus.Properties"
PEER = "org.freedesktop.DBus.Peer"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"

#: Seconds by which the answer to our `Connect` follows the news that the device is connected. If it does not, the link
#: is one that the peer has opened (seen: 0.1 s for ours; that of a peer leaves `Connect` unanswered for 40 s).
OWN_LINK_TIME = 1.0
#: Seconds within which the removal of an adapter follows its being switched off.
REMOVAL_TIME = 2.0


class BlueZError(RadioError):
    """bluetoothd, or D-Bus itself, has refused a call.

    Attributes:
        name: the error's D-Bus name.
    """

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


def _refusal(member: str, name: str, detail: object) -> BlueZError:
    """Return the error of a call; where it is known what to do, without details, which differ from call to call."""
    if name in REMEDIES:
        return BlueZError(f"{REMEDIES[name]} ({name})", name)
    return BlueZError(f"{member} failed ({name}: {detail})", name)


class AdapterOffError(RadioError):
    """Somebody has switched the adapter off."""


class UnknownDeviceError(LinkError):
    """BlueZ does not know the device, or not any more: it has to be heard again."""


class ForestalledError(LinkRaceError):
    """The peer has connected to us while we were about to dial it."""


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
        self._dialled: dict[str, asyncio.Event] = {}  # whom we dial now, and whether there is a link
        self._lost = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._abandoned: dict[str, asyncio.Task[list[Any]]] = {}  # `Connect` calls whose peer was quicker

    async def open(self, service: str, *, power_on: bool) -> None:
        """Connect, end the links to peers that a process which was killed has left, and have stale devices forgotten.

        Args:
            service: the UUID by which a peer is known.
            power_on: switch the adapter on if it is off.

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
            f"type='signal',sender='{SERVICE}',interface='{OBJECT_MANAGER}'",
            f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{SERVICE}'",
        ):
            await self._call(
                "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", [rule]
            )
        objects = await self.objects()
        if ADAPTER not in objects.get(self.path, {}):
            there = sorted(path.rpartition("/")[2] for path, parts in objects.items() if ADAPTER in parts)
            raise RadioError(f"there is no adapter {self.adapter}; there is: {', '.join(there) or 'none'}")
        properties = objects[self.path][ADAPTER]
        if not properties["Powered"].value:
            if not power_on:
                raise AdapterOffError(f"the adapter {self.adapter} is off; it is awaited: bluetoothctl power on")
            await self.set_powered(True)
        self.address = properties["Address"].value
        self.address_type = properties["AddressType"].value if "AddressType" in properties else "public"
        for path, parts in objects.items():
            device = parts.get(DEVICE)
            if (
                path.startswith(f"{self.path}/")
                and device
                and device["Connected"].value
                and service in uuids_of(device)
            ):
                with contextlib.suppress(RadioError):
                    await self.disconnect(address_of(path))
        for path in stale_devices(objects, self.path, service):
            await self.forget(address_of(path))

    async def objects(self) -> dict[str, dict[str, dict[str, Variant]]]:
        """Return all that bluetoothd has: by path and interface, the properties. Raises RadioError."""
        (objects,) = await self._call(SERVICE, "/", OBJECT_MANAGER, "GetManagedObjects")
        return dict(objects)

    async def is_powered(self) -> bool:
        """Ask bluetoothd whether the adapter is on, which it answers as long as it works. Raises RadioError."""
        (powered,) = await self._call(SERVICE, self.path, PROPERTIES, "Get", "ss", [ADAPTER, "Powered"])
        return bool(powered.value)

    async def set_powered(self, on: bool) -> None:
        """Switch the adapter on or off. Raises RadioError."""
        await self._set(self.path, ADAPTER, "Powered", Variant("b", on))

    async def daemon_pid(self) -> int:
        """Return the process id of bluetoothd. Raises RadioError."""
        bus = "org.freedesktop.DBus"
        (pid,) = await self._call(bus, "/org/freedesktop/DBus", bus, "GetConnectionUnixProcessID", "s", [SERVICE])
        return int(pid)

    async def close(self) -> None:
        """Leave D-Bus."""
        bus, self._bus = self._bus, None
        for call in self._abandoned.values():
            call.cancel()
        self._abandoned.clear()
        if bus is not None:
            bus.disconnect()
            await self._watch

    async def _watch_bus(self, bus: MessageBus) -> None:
        """Notice the end of the connection to D-Bus, unless we ended it."""
        with contextlib.suppress(OSError, EOFError):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast's gap
        if self._bus is bus:
            self._lose(RadioError("D-Bus has ended; its return is awaited"))

    async def is_connected(self, address: str) -> bool:
        """Whether BlueZ has a link to a device, whoever dialled."""
        try:
            body = await self._call(
                SERVICE, device_path(self.path, address), PROPERTIES, "Get", "ss", [DEVICE, "Connected"]
            )
        except RadioError:
            return False  # BlueZ does not know it
        return bool(body[0].value)

    async def connect(self, address: str) -> None:
        """Open a link to a device that BlueZ knows.

        Given up, it leaves no attempt behind, and a link that the peer has opened meanwhile alone: `Disconnect`, the
        only way to take back an attempt, would end that link as well. An attempt that the peer forestalled fails by
        itself and harms nothing (seen on BlueZ 5.66 with Linux 6.1 and on 5.82 with 6.12).

        Raises:
            ForestalledError: the peer has connected to us.
            UnknownDeviceError: BlueZ has forgotten the device.
            LinkError: the attempt failed.
            RadioError: bluetoothd cannot be reached.
        """
        await self._take_back(address)
        try:
            await past_races(lambda: self._dial(address))
        except BlueZError as error:
            if error.name == "org.freedesktop.DBus.Error.UnknownObject":
                raise UnknownDeviceError(f"BlueZ does not know {address} any more: {error}") from error
            raise link_error(f"BlueZ cannot connect to {address}", error) from error

    async def _dial(self, address: str) -> None:
        linked = self._dialled[address] = asyncio.Event()
        waiter = asyncio.ensure_future(linked.wait())
        call = asyncio.ensure_future(self._call(SERVICE, device_path(self.path, address), DEVICE, "Connect"))
        try:
            await asyncio.wait({call, waiter}, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                await asyncio.wait({call}, timeout=OWN_LINK_TIME)
            if not call.done():
                raise ForestalledError(f"{address} has connected to us; its handshake is awaited")
            call.result()
        finally:
            waiter.cancel()
            del self._dialled[address]
            if not call.done():
                self._abandoned[address] = call
                call.add_done_callback(lambda call: self._forget_call(address, call))
                if not linked.is_set():
                    await self._take_back(address)

    def is_dialling(self, address: str) -> bool:
        """Whether an attempt of ours is under way, so that a link which comes up may be the one that it opened."""
        return address in self._dialled

    def _forget_call(self, address: str, call: asyncio.Task[list[Any]]) -> None:
        if not call.cancelled():
            call.exception()  # whatever it is, nobody waits for it
        if self._abandoned.get(address) is call:
            del self._abandoned[address]

    async def _take_back(self, address: str) -> None:
        """End an attempt that nobody waits for, unless there is a link.

        bluetoothd is asked: a write of the peer may reach us, on another connection, before the news of its link.
        """
        if address in self._abandoned and not await self.is_connected(address):
            with contextlib.suppress(RadioError):
                await self.disconnect(address)

    async def mtu_of(self, characteristic: str) -> int:
        """Return the ATT MTU, in bytes, of the link to the peer that has the characteristic at this path.

        It is asked for, because BlueZ does not tell when it changes: what was told with the services may be the 23 of
        a link whose MTU was not exchanged yet (seen on 5.66).

        Raises:
            RadioError: bluetoothd cannot be reached, or the characteristic is gone.
        """
        return int(
            (await self._call(SERVICE, characteristic, PROPERTIES, "Get", "ss", [CHARACTERISTIC, "MTU"]))[0].value
        )

    async def disconnect(self, address: str) -> None:
        """End the link to a device, whoever dialled. Raises RadioError."""
        await self._call(SERVICE, device_path(self.path, address), DEVICE, "Disconnect")

    async def ping(self) -> None:
        """Have bluetoothd answer, which it does after all that reached it before. Raises RadioError."""
        await self._call(SERVICE, "/", PEER, "Ping")

    async def forget(self, address: str, *, unless_it_offers: str = "") -> None:
        """Have bluetoothd forget a device, unless it is in use, was chosen by a person, or has a service (stale.py)."""
        path = device_path(self.path, address)
        with contextlib.suppress(RadioError):  # it is forgotten already, or all is lost
            (device,) = await self._call(SERVICE, path, PROPERTIES, "GetAll", "s", [DEVICE])
            if address not in self._dialled and is_dispensable(device) and unless_it_offers not in uuids_of(device):
                await self._call(SERVICE, self.path, ADAPTER, "RemoveDevice", "o", [path])

    async def _set(self, path: str, interface: str, name: str, value: Variant) -> None:
        await self._call(SERVICE, path, PROPERTIES, "Set", "ssv", [interface, name, value])

    async def _call(
        self, service: str, path: str, interface: str, member: str, signature: str = "", body: list[Any] | None = None
    ) -> list[Any]:
        if self._bus is None or not self._bus.connected:
            raise RadioError("the connection to D-Bus is closed")
        message = Message(service, path, interface, member, signature=signature, body=body or [])
        try:
            reply = await self._bus.call(message)
        except (OSError, EOFError) as error:  # D-Bus has ended, and with it what was under way
            raise RadioError(f"D-Bus gave no answer: {words_of(error)}") from error
        if reply is None:
            raise RadioError("D-Bus gave no answer")
        if reply.message_type is MessageType.ERROR:
            raise _refusal(member, str(reply.error_name), reply.body[0] if reply.body else "")
        return list(reply.body)

    def _on_message(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        path = message.path or ""
        if message.member == "PropertiesChanged" and f"{path}/".startswith(f"{self.path}/"):
            interface, changed = message.body[0], message.body[1]
            if interface == DEVICE and "Connected" in changed:
                self._on_connection(address_of(path), bool(changed["Connected"].value))
            elif interface == ADAPTER and path == self.path and _is_off(changed):
                # An adapter that is pulled out is switched off first.
                off = AdapterOffError(f"the adapter {self.adapter} was switched off")
                asyncio.get_running_loop().call_later(REMOVAL_TIME, self._lose, off)
        elif message.member == "InterfacesAdded":
            # A central that BlueZ has never seen: its device appears with the link.
            path, interfaces = message.body
            if path.startswith(f"{self.path}/dev_") and DEVICE in interfaces and interfaces[DEVICE]["Connected"].value:
                self._on_connection(address_of(path), True)
        elif message.member == "InterfacesRemoved":
            path, removed = message.body
            if path == self.path and ADAPTER in removed:
                self._lose(RadioError(f"the adapter {self.adapter} was removed"))
            elif path.startswith(f"{self.path}/dev_") and DEVICE in removed:
                self._on_connection(address_of(path), False)
        elif message.member == "NameOwnerChanged" and message.body[0] == SERVICE and not message.body[2]:
            self._lose(RadioError("bluetoothd has ended; its return is awaited"))

    def _lose(self, error: RadioError) -> None:
        """Say so once, and not for what was closed."""
        if self._bus is not None and not self._lost:
            self._lost = True
            self._on_lost(error)

    def _on_connection(self, address: str, connected: bool) -> None:
        if connected and address in self._dialled:
            self._dialled[address].set()
        if not connected and address in self._abandoned:
            # Our own attempt would now succeed by itself at any time, and nobody waits for it.
            take_back = asyncio.ensure_future(self._take_back(address))
            self._tasks.add(take_back)
            take_back.add_done_callback(self._tasks.discard)
        self._on_connected(address, connected)


def _is_off(changed: dict[str, Variant]) -> bool:
    return "Powered" in changed and not changed["Powered"].value
