"""A bare `BleakDriver` on the guest's BlueZ, obeying JSON lines on its standard input.

    python -m tests.bluez.guest_side.driver_node IDENTITY [OPTION=VALUE…]

Orders are methods of the driver: ``{"do": "connect", "args": ["0F:0D:00:00:00:01"]}``. "handshake" sends the identity
to a peer, "usage" reports what the process holds: threads, file descriptors, sockets among them, kilobytes of memory.
What the driver reports is reported.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from drivers.bleak_driver import BleakDriver

from .report import say
from .wire import UUIDS


def usage() -> dict[str, int]:
    """Return what this process holds."""
    gc.collect()
    descriptors = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "threads": threading.active_count(),
        "descriptors": len(descriptors),
        "sockets": sum(name.startswith("socket:") for name in descriptors),
        "memory": int(status["VmRSS"].split()[0]),
    }


class Node:
    """The driver, and what it reports."""

    def __init__(self, identity: bytes, options: dict[str, Any]) -> None:
        self.identity = identity
        self.driver = driver = BleakDriver(**options)
        driver.on_device_connected = self._connected
        driver.on_device_disconnected = lambda address: say("disconnected", address=address)
        driver.on_connection_failed = lambda address, error: say(
            "failed", address=address, kind=type(error).__name__, text=str(error)
        )
        driver.on_data_received = lambda address, data: say("data", address=address, data=data.hex())
        driver.on_mtu_changed = lambda address, mtu: say("mtu", address=address, mtu=mtu)
        driver.on_error = lambda error: say("error", text=str(error))
        driver.set_identity(identity)
        driver.start(*UUIDS)

    def _connected(self, address: str, mtu: int) -> None:
        role = self.driver.peer_role(address)
        say("connected", address=address, mtu=mtu, role=role.value if role else None)

    def obey(self, order: dict[str, Any]) -> None:
        """Carry out one order."""
        if order["do"] == "usage":
            say("usage", **usage())
        elif order["do"] == "handshake":
            self.driver.send(order["address"], self.identity)
        elif order["do"] == "stop":
            begun = time.monotonic()
            self.driver.stop()
            threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("ble-")]
            say("stopped", seconds=round(time.monotonic() - begun, 2), threads=threads)
        else:
            getattr(self.driver, order["do"])(*order.get("args", ()))


def main() -> None:
    """Start the driver and obey."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(relativeCreated)d %(name)s: %(message)s")
    options: dict[str, Any] = dict(word.split("=", 1) for word in sys.argv[2:])
    if "connect_timeout" in options:
        options["connect_timeout"] = float(options["connect_timeout"])
    node = Node(bytes.fromhex(sys.argv[1]), options)
    deadline = time.monotonic() + 30.0
    while node.driver.local_address is None and time.monotonic() < deadline:
        time.sleep(0.05)
    say("started", address=node.driver.local_address, pid=os.getpid())
    for line in sys.stdin:
        node.obey(json.loads(line))


if __name__ == "__main__":
    main()
