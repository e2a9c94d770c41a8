"""Real BlueZ: several adapters on one host, each driver with one of its own. For guests of `tests.bluez` only."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from ble_driver import BLEDriverError, BLEDriverInterface, Role
from ble_testing.contract import Node, RealTimeRig
from drivers.bleak_driver import BleakDriver

#: Adapters to plug in, as many as a test has nodes at most.
ADAPTERS = 3
#: An emulated machine is that much slower than the radios which the suite's times are made for, and needs that many
#: seconds to dial.
PATIENCE, DIAL_TIME, CONNECT_TIMEOUT = 3.0, 9.0, 10.0
PLUG_TIMEOUT = 30.0
GLUE = "tests.bluez.guest_side.h4_vhci"
_glue: list[subprocess.Popen[bytes]] = []  # outlives a test: plugging in takes a second


class GreetingNode(Node):
    """A node that shakes hands and does not speak of it: BlueZ hears of a central only when that writes."""

    identities: ClassVar[set[bytes]] = set()

    def __init__(self, driver: BLEDriverInterface, identity: bytes) -> None:
        self.identities.add(identity)
        self._greeted: set[str] = set()
        super().__init__(driver, identity)

    def _record(self, kind: str, *details: Any) -> None:
        address = details[0]
        # Of two that dial each other at once, both may be central, on one connection: then both shake hands.
        if kind == "data" and details[1] in self.identities and address not in self._greeted:
            self._greeted.add(address)
            return
        if kind == "disconnected":
            self._greeted.discard(address)
        if kind == "connected" and self.driver.peer_role(address) is Role.CENTRAL:
            with contextlib.suppress(BLEDriverError):  # it may be stopped by now
                self.driver.send(address, self.identity)
        super()._record(kind, *details)


class BlueZRig(RealTimeRig):
    """Drivers on the adapters of this host, which hear each other."""

    mtu = 517
    mtu_is_chosen = False
    centrals_overhear = True
    node_type = GreetingNode

    def __init__(self) -> None:
        super().__init__()
        self._next = 0
        for number in range(ADAPTERS):
            if not _adapter(number).exists():
                _glue.append(subprocess.Popen([sys.executable, "-m", GLUE, f"radio{number}"]))
                self._await(lambda number=number: _adapter(number).exists())  # type: ignore[misc]

    @staticmethod
    def _await(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PLUG_TIMEOUT
        while not condition():
            assert time.monotonic() < deadline, "adapters do not do what they should"
            time.sleep(0.1)

    def make_driver(self, **options: Any) -> BLEDriverInterface:
        # What a test gives a short time to fail must have the time to succeed here.
        timeout = options.get("connect_timeout", CONNECT_TIMEOUT)
        if isinstance(timeout, float) and timeout > 0:
            options["connect_timeout"] = max(DIAL_TIME, PATIENCE * timeout)
        driver = BleakDriver(adapter=f"hci{self._next}", **options)
        self._next += 1
        return driver

    def wait(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        super().wait(condition, timeout * 2 * PATIENCE)

    def settle(self, seconds: float) -> None:
        super().settle(seconds * PATIENCE)

    def vanish(self, node: Node) -> None:
        number = self.nodes.index(node)
        subprocess.run(["pkill", "-TERM", "-f", f"{GLUE} radio{number}"], check=True)
        self._await(lambda: not _adapter(number).exists())


def _adapter(number: int) -> Path:
    return Path(f"/sys/class/bluetooth/hci{number}")
