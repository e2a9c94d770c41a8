"""A peripheral of raw bluezero, obeying JSON lines on its standard input.

    python -m tests.bluez.guest_side.bluezero_peripheral IDENTITY [NAME]

It registers our service, advertises, and reports "ready"; then each handshake as "handshake", each change of a
subscription as "subscription", and bluezero's own idea of who came and went as "came" and "went".
``{"do": "notify", "count": 100, "size": 500}`` sends frames to whoever has subscribed; "received" reports how many
writes came, and how.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import dbus
from bluezero import adapter, peripheral
from gi.repository import GLib

from .report import say
from .wire import IDENTITY, RX, SERVICE, TX, frames, judge

SILENCE = 15.0


class Peripheral:
    """The service and what came in."""

    def __init__(self, identity: bytes, name: str | None) -> None:
        self._identity = identity
        self._received: list[bytes] = []
        address = next(iter(adapter.Adapter.available())).address
        server = peripheral.Peripheral(address, local_name=name)
        server.add_service(1, SERVICE, True)
        server.add_characteristic(
            1, 1, RX, [], False, ["write", "write-without-response"], write_callback=self._on_write
        )
        server.add_characteristic(1, 2, TX, [], False, ["read", "notify"], notify_callback=self._on_subscription)
        server.add_characteristic(1, 3, IDENTITY, [], False, ["read"], read_callback=lambda: list(self._identity))
        self._tx = server.characteristics[1]
        server.on_connect = lambda device: say("came", address=str(device.address))
        server.on_disconnect = lambda _, device: say("went", address=str(device))
        self._server = server

    def run(self) -> None:
        """Serve until killed; bluezero's `publish` blocks."""
        GLib.timeout_add(100, self._report_when_advertised)
        self._server.publish()

    def _report_when_advertised(self) -> bool:
        manager = dbus.Interface(
            dbus.SystemBus().get_object("org.bluez", "/org/bluez/hci0"), "org.freedesktop.DBus.Properties"
        )
        active = int(manager.Get("org.bluez.LEAdvertisingManager1", "ActiveInstances"))
        if active:
            say("ready", address=str(self._server.dongle.address))
        return not active  # GLib calls again while it is true

    def _on_write(self, value: list[int], options: dict[str, Any]) -> None:
        frame = bytes(value)
        if len(frame) == len(self._identity):
            say("handshake", identity=frame.hex(), options={key: str(value) for key, value in options.items()})
        else:
            self._received.append(frame)

    def _on_subscription(self, on: bool, _: object) -> None:
        say("subscription", on=bool(on))

    def obey(self, order: dict[str, Any]) -> None:
        """Carry out one order; on a thread of its own."""
        if order["do"] == "notify":
            GLib.idle_add(self._notify, frames(order["count"], order["size"]), time.monotonic())
        elif order["do"] == "received":
            self._report_received(order["count"])

    def _notify(self, left: list[bytes], start: float) -> bool:
        self._tx.set_value(list(left.pop(0)))
        if not left:
            say("notified", seconds=round(time.monotonic() - start, 3))
        return bool(left)

    def _report_received(self, count: int) -> None:
        had, heard = -1, time.monotonic()
        while len(self._received) < count and time.monotonic() - heard < SILENCE:
            if len(self._received) != had:
                had, heard = len(self._received), time.monotonic()
            time.sleep(0.02)
        say("received", **judge(self._received))


def main() -> None:
    """Serve, and obey on the side."""
    server = Peripheral(bytes.fromhex(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)

    def obey() -> None:
        for line in sys.stdin:
            server.obey(json.loads(line))

    threading.Thread(target=obey, daemon=True).start()
    server.run()


if __name__ == "__main__":
    main()
