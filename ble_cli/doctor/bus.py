"""One look at the system's D-Bus and at bluetoothd on it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SERVICE = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
ADVERTISING = "org.bluez.LEAdvertisingManager1"
DEVICE = "org.bluez.Device1"
#: Seconds for everything: a bluetoothd that does not answer is a finding, not a reason to wait.
PATIENCE = 5.0
#: Where the bus is unless DBUS_SYSTEM_BUS_ADDRESS says otherwise (D-Bus Specification, System message bus).
DEFAULT_SOCKET = "/var/run/dbus/system_bus_socket"

Objects = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Bus:
    """What was seen.

    Attributes:
        trouble: why the bus cannot be reached; None if it can.
        unread: why nothing more than its presence could be seen; None if more was.
        daemon_pid: the process id of bluetoothd; None if it is not on the bus.
        refusal: the name and text of the D-Bus error with which bluetoothd, or the bus, refused to tell its objects.
        objects: what bluetoothd has: by path and interface, the properties.
    """

    trouble: str | None = None
    unread: str | None = None
    daemon_pid: int | None = None
    refusal: tuple[str, str] | None = None
    objects: Objects = field(default_factory=dict)

    @property
    def adapters(self) -> dict[str, Mapping[str, Any]]:
        """The properties of each adapter, by its name."""
        return {path.rpartition("/")[2]: parts[ADAPTER] for path, parts in self.objects.items() if ADAPTER in parts}

    def of_adapter(self, name: str, interface: str) -> Mapping[str, Any] | None:
        """Return the properties that an adapter has under an interface, None if it has no such."""
        return self.objects.get(f"/org/bluez/{name}", {}).get(interface)

    def connected(self, adapter: str) -> int:
        """Return how many devices are connected to an adapter."""
        prefix = f"/org/bluez/{adapter}/"
        devices = (parts.get(DEVICE) for path, parts in self.objects.items() if path.startswith(prefix))
        return sum(bool(device and device.get("Connected")) for device in devices)


def look() -> Bus:
    """Look at the bus; without dbus-fast only whether it is there."""
    try:
        import dbus_fast
    except ImportError:
        return Bus(trouble=_knock(), unread="dbus-fast is not installed; it comes with the extra bleak")
    del dbus_fast
    return asyncio.run(_look())


def _knock() -> str | None:
    address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={DEFAULT_SOCKET}")
    kind, _, path = address.partition("=")
    if kind != "unix:path":
        return None  # somewhere that only a D-Bus library knows how to reach
    with socket.socket(socket.AF_UNIX) as knocking:
        try:
            knocking.connect(path.partition(",")[0])
        except OSError as error:
            return str(error)
    return None


async def _look() -> Bus:
    from dbus_fast import BusType
    from dbus_fast.aio import MessageBus

    try:
        bus = MessageBus(bus_type=BusType.SYSTEM)
        await asyncio.wait_for(bus.connect(), PATIENCE)
    except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
        return Bus(trouble=str(error) or type(error).__name__)
    try:
        return await _ask(bus)
    except _RefusedError as error:
        return Bus(trouble=f"{error.name}: {error.text}")
    finally:
        bus.disconnect()


async def _ask(bus: Any) -> Bus:
    daemon = "org.freedesktop.DBus"
    try:
        (pid,) = await _call(bus, daemon, "/org/freedesktop/DBus", daemon, "GetConnectionUnixProcessID", SERVICE)
    except _RefusedError as error:
        if error.name == "org.freedesktop.DBus.Error.NameHasNoOwner":
            return Bus()
        raise
    try:
        (objects,) = await _call(bus, SERVICE, "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    except _RefusedError as error:
        return Bus(daemon_pid=pid, refusal=(error.name, error.text))
    plain = {
        path: {name: {key: value.value for key, value in properties.items()} for name, properties in parts.items()}
        for path, parts in objects.items()
    }
    return Bus(daemon_pid=pid, objects=plain)


class _RefusedError(Exception):
    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self.name, self.text = name, text


async def _call(bus: Any, destination: str, path: str, interface: str, member: str, *words: str) -> list[Any]:
    from dbus_fast import Message, MessageFlag, MessageType

    message = Message(
        destination=destination,
        path=path,
        interface=interface,
        member=member,
        signature="s" * len(words),
        body=list(words),
        flags=MessageFlag.NO_AUTOSTART,  # whoever looks must not start what he looks for
    )
    try:
        reply = await asyncio.wait_for(bus.call(message), PATIENCE)
    except (asyncio.TimeoutError, EOFError, OSError) as error:
        raise _RefusedError("no answer", f"within {PATIENCE:g} s ({type(error).__name__})") from error
    if reply.message_type is MessageType.ERROR:
        raise _RefusedError(str(reply.error_name), " ".join(map(str, reply.body)))
    return list(reply.body)
