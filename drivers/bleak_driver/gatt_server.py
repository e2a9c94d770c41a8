"""The peripheral: our GATT service and advertisement, as D-Bus objects that BlueZ calls.

bluezero brings the objects; each driver puts them on a D-Bus connection and paths of its own, so that two adapters in
one process do not meet, and `stop` can close the connection.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import dbus
import dbus.exceptions
import dbus.mainloop.glib
import dbus.service
from bluezero import advertisement, constants, localGATT

from ble_driver import GattUUIDs

from .glib_thread import GLibThread
from .notify_sockets import make_pair

#: Seconds that BlueZ gets to accept or drop the application or the advertisement.
REGISTER_TIMEOUT = 5.0

#: Seconds that what centrals have written may take to come to us from BlueZ.
HEAR_OUT_TIMEOUT = 2.0

#: Seconds that BlueZ gets to take the frames of a packet: with several centrals it works for all of them meanwhile.
NOTIFY_TIMEOUT = 20.0

_numbers = itertools.count(1)


class _NotPermittedError(dbus.exceptions.DBusException):  # type: ignore[misc]  # dbus has no types
    _dbus_error_name = "org.bluez.Error.NotPermitted"


class _Application(localGATT.Application):  # type: ignore[misc]
    def __init__(self, bus: Any, path: str) -> None:
        self.bus, self.path = bus, path
        self.managed_objs: list[Any] = []
        dbus.service.Object.__init__(self, bus, path)


class _Service(localGATT.Service):  # type: ignore[misc]
    def __init__(self, bus: Any, path: str, uuid: str) -> None:
        self.bus, self.path, self.interface = bus, path, constants.GATT_SERVICE_IFACE
        self.props = {constants.GATT_SERVICE_IFACE: {"UUID": uuid, "Primary": True}}
        dbus.service.Object.__init__(self, bus, path)


class _Characteristic(localGATT.Characteristic):  # type: ignore[misc]
    def __init__(self, bus: Any, path: str, service: str, uuid: str, flags: list[str]) -> None:
        self.bus, self.path = bus, path
        self.read_callback = self.write_callback = self.notify_callback = None
        self.props = {
            constants.GATT_CHRC_IFACE: {
                "UUID": uuid,
                "Service": dbus.ObjectPath(service),
                "Value": dbus.Array([], signature="y"),
                "Notifying": False,
                "Flags": dbus.Array(flags, signature="s"),
            }
        }
        dbus.service.Object.__init__(self, bus, path)


class _Rx(_Characteristic):
    on_write: Callable[[str, int, bytes], None]

    @dbus.service.method(constants.GATT_CHRC_IFACE, in_signature="aya{sv}", out_signature="", byte_arrays=True)  # type: ignore[untyped-decorator]
    def WriteValue(self, value: bytes, options: dict[str, Any]) -> None:
        # Not bluezero's own: that turns each byte into an object and sends a signal for every write.
        self.on_write(str(options.get("device", "")), int(options.get("mtu", 0)), bytes(value))


class _Tx(_Characteristic):
    on_socket: Callable[[str, int, socket.socket], None]

    def __init__(self, bus: Any, path: str, service: str, uuid: str) -> None:
        super().__init__(bus, path, service, uuid, ["read", "notify"])
        self.props[constants.GATT_CHRC_IFACE]["NotifyAcquired"] = False  # so bluetoothd knows that it may ask

    @dbus.service.method(constants.GATT_CHRC_IFACE, in_signature="a{sv}", out_signature="hq")  # type: ignore[untyped-decorator]
    def AcquireNotify(self, options: dict[str, Any]) -> Any:
        mtu = int(options.get("mtu", 0))
        ours, theirs = make_pair()
        with theirs:
            given = dbus.types.UnixFd(theirs)  # it is a copy
        self.on_socket(str(options.get("device", "")), mtu, ours)
        return given, dbus.UInt16(mtu)


class _Identity(_Characteristic):
    identity: Callable[[], bytes | None]

    @dbus.service.method(constants.GATT_CHRC_IFACE, in_signature="a{sv}", out_signature="ay")  # type: ignore[untyped-decorator]
    def ReadValue(self, options: dict[str, Any]) -> Any:
        identity = self.identity()
        if identity is None:
            raise _NotPermittedError("the identity is not known yet")  # zeros would be taken for one
        return dbus.ByteArray(identity)


class _Advertisement(advertisement.Advertisement):  # type: ignore[misc]
    def __init__(self, bus: Any, path: str, service_uuid: str, name: str | None) -> None:
        self.bus, self.path, self.interface = bus, path, constants.LE_ADVERTISEMENT_IFACE
        keys = ("ManufacturerData", "SolicitUUIDs", "ServiceData", "Appearance")
        self.props = {constants.LE_ADVERTISEMENT_IFACE: dict.fromkeys(keys)}
        self.props[constants.LE_ADVERTISEMENT_IFACE].update(
            Type="peripheral", ServiceUUIDs=[service_uuid], Includes=set(), LocalName=name
        )
        dbus.service.Object.__init__(self, bus, path)


class GattServer:
    """Our service on one adapter.

    Args:
        adapter_path: the adapter's D-Bus path, such as ``/org/bluez/hci0``.
        uuids: of the service and its characteristics.
        identity: returns what to tell those who read our identity, None to refuse; called on GLib's thread.
        on_write: called on GLib's thread with the writer's D-Bus path, the ATT MTU (0 if unknown), and the value.
        on_socket: called on GLib's thread with the D-Bus path of a central that has subscribed, the ATT MTU (0 if
            unknown), and the socket by which it is notified, if bluetoothd has asked for one.
        ping: returns when bluetoothd has answered, by another connection to D-Bus.
    """

    def __init__(
        self,
        adapter_path: str,
        uuids: GattUUIDs,
        identity: Callable[[], bytes | None],
        on_write: Callable[[str, int, bytes], None],
        on_socket: Callable[[str, int, socket.socket], None],
        ping: Callable[[], Awaitable[None]],
    ) -> None:
        self._adapter_path = adapter_path
        self._uuids = uuids
        self._identity = identity
        self._on_write = on_write
        self._on_socket = on_socket
        self._ping = ping
        self._root = f"/ble_interface/p{os.getpid()}/n{next(_numbers)}"
        self._open = False
        self._bus: Any = None
        self._objects: list[Any] = []
        self._tx: Any = None
        self._advertisement: _Advertisement | None = None

    async def open(self) -> None:
        """Connect to D-Bus and register the service. Raises DBusException, or TimeoutError."""
        GLibThread.acquire()
        self._open = True
        await GLibThread.call(self._build)
        await GLibThread.reply(
            lambda ok, failed: self._bluez(constants.GATT_MANAGER_IFACE).RegisterApplication(
                dbus.ObjectPath(self._root), dbus.Dictionary({}, signature="sv"), reply_handler=ok, error_handler=failed
            ),
            REGISTER_TIMEOUT,
        )

    def _build(self) -> None:
        self._bus = dbus.SystemBus(private=True, mainloop=dbus.mainloop.glib.DBusGMainLoop())
        self._bus.set_exit_on_disconnect(False)
        application = _Application(self._bus, self._root)
        service_path = f"{self._root}/service0001"
        service = _Service(self._bus, service_path, self._uuids.service)
        rx = _Rx(
            self._bus, f"{service_path}/char0001", service_path, self._uuids.rx, ["write", "write-without-response"]
        )
        rx.on_write = self._on_write
        self._tx = _Tx(self._bus, f"{service_path}/char0002", service_path, self._uuids.tx)
        self._tx.on_socket = self._on_socket
        told = _Identity(self._bus, f"{service_path}/char0003", service_path, self._uuids.identity, ["read"])
        told.identity = self._identity
        self._objects = [application, service, rx, self._tx, told]
        for part in self._objects[1:]:
            application.add_managed_object(part)

    def _bluez(self, interface: str) -> Any:
        bluez = self._bus.get_object(constants.BLUEZ_SERVICE_NAME, self._adapter_path, introspect=False)
        return dbus.Interface(bluez, interface)

    async def close(self) -> None:
        """Leave D-Bus, harmless if never opened: BlueZ drops what we have registered by itself."""
        if not self._open:
            return
        self._open = False
        bus = self._bus  # stays: what is still under way then fails as D-Bus has it
        objects, self._objects = [*self._objects, self._advertisement], []
        self._advertisement = None

        def leave() -> None:
            for part in objects:
                if part is not None:
                    part.remove_from_connection()
            bus.close()

        try:
            if bus is not None:
                await GLibThread.call(leave)
        finally:
            GLibThread.release()

    async def advertise(self, name: str | None) -> None:
        """Advertise our service. Raises DBusException, or TimeoutError."""
        path = f"{self._root}/advertisement"
        self._advertisement = await GLibThread.call(_Advertisement, self._bus, path, self._uuids.service, name)
        try:
            await GLibThread.reply(
                lambda ok, failed: self._bluez(constants.LE_ADVERTISING_MANAGER_IFACE).RegisterAdvertisement(
                    dbus.ObjectPath(path), dbus.Dictionary({}, signature="sv"), reply_handler=ok, error_handler=failed
                ),
                REGISTER_TIMEOUT,
            )
        except BaseException:
            await self._forget_advertisement()
            raise

    async def stop_advertising(self) -> None:
        """Advertise no more; harmless if nothing is advertised. Raises DBusException, or TimeoutError."""
        if self._advertisement is None:
            return
        path = self._advertisement.get_path()
        try:
            await GLibThread.reply(
                lambda ok, failed: self._bluez(constants.LE_ADVERTISING_MANAGER_IFACE).UnregisterAdvertisement(
                    path, reply_handler=ok, error_handler=failed
                ),
                REGISTER_TIMEOUT,
            )
        finally:
            await self._forget_advertisement()

    async def _forget_advertisement(self) -> None:
        forgotten, self._advertisement = self._advertisement, None
        if forgotten is not None:
            await GLibThread.call(forgotten.remove_from_connection)

    async def hear_out(self) -> None:
        """Wait until all that centrals have written so far was handed on. Raises DBusException, or TimeoutError.

        bluetoothd answers by the connection by which it hands on what is written, after that.
        """
        if not self._open:
            return
        await GLibThread.reply(
            lambda ok, failed: self._bluez(dbus.PEER_IFACE).Ping(reply_handler=ok, error_handler=failed),
            HEAR_OUT_TIMEOUT,
        )

    async def notify(self, frames: tuple[bytes, ...]) -> None:
        """Notify the frames to every subscribed central, and wait until bluetoothd has taken them.

        The wait bounds what waits on D-Bus. It is on another connection than the frames: on this one an answer comes
        after all that centrals have written, and a slow host would notify nothing while it is written to.
        """

        def change_value() -> None:
            for frame in frames:
                self._tx.PropertiesChanged(constants.GATT_CHRC_IFACE, {"Value": dbus.ByteArray(frame)}, [])

        await GLibThread.call(change_value)
        await asyncio.wait_for(self._ping(), NOTIFY_TIMEOUT)
