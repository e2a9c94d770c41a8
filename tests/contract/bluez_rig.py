"""Real BlueZ: one `BleakDriver` among `BumbleDriver`s, on a radio daemon in this process. For guests of `tests.bluez`.

The adapter of this host is a controller of the daemon. Only one of the nodes is BlueZ's, because two adapters under one
bluetoothd are one host that talks to itself, which neither BlueZ nor its users do.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from ble_driver import BLEDriverError, BLEDriverInterface, Role
from ble_testing.contract import Node
from drivers.bleak_driver import BleakDriver
from drivers.bumble_driver.radio import RadioServer

from .bumble_rig import BumbleRig

PLUG_TIMEOUT = 30.0
ADAPTER = Path("/sys/class/bluetooth/hci0")


class GreetingNode(Node):
    """A node that shakes hands and does not speak of it: BlueZ hears of a central only when that writes."""

    identities: ClassVar[set[bytes]] = set()

    def __init__(self, driver: BLEDriverInterface, identity: bytes) -> None:
        self.identities.add(identity)
        self._greeted: set[str] = set()
        super().__init__(driver, identity)

    def kinds(self, *but: str) -> list[str]:
        # bluetoothd 5.66 dies of some faults of a peer; what is reported of that is not what tests of faults are about.
        return super().kinds("error", *but)

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


class BlueZRig(BumbleRig):
    """Drivers of which one is on the adapter of this host.

    Args:
        place: which of the nodes that is, from 0.
    """

    patience = 4.5
    mtu_is_chosen = False
    names_linger = True
    centrals_overhear = True
    node_type = GreetingNode

    def __init__(self, place: int) -> None:
        logging.getLogger("drivers.bleak_driver").setLevel(logging.DEBUG)  # shown of a test that fails
        self._place = place
        self._made = 0
        self._greeted: set[tuple[Node, str]] = set()
        self._glue: subprocess.Popen[bytes] | None = None
        super().__init__()

    def _start_daemon(self, port: int) -> None:
        # Over the event that follows a cancelled attempt, Debian's 6.1 kernel corrupts a list.
        self._server = RadioServer("127.0.0.1", port, cancel_event=False)
        self._dispatcher.run(self._server.start(), timeout=5.0)
        self._port = self._server.port
        self._glue = subprocess.Popen([sys.executable, "-m", "tests.bluez.guest_side.h4_vhci", self.radio])
        _await(there=True)

    def _unplug(self) -> None:
        if self._glue is not None:
            self._glue.terminate()
            self._glue.wait(PLUG_TIMEOUT)
            self._glue = None
            _await(there=False)

    def make_driver(self, **options: Any) -> BLEDriverInterface:
        timeout = options.get("connect_timeout", 10.0)
        if isinstance(timeout, float) and timeout > 0:  # what a test gives a short time must have the time to succeed
            options["connect_timeout"] = self.patience * max(timeout, 2.0)
        self._made += 1
        if self._made - 1 == self._place:
            return BleakDriver(adapter="hci0", **options)
        return super().make_driver(**options)

    def wait(self, condition: Any, timeout: float = 10.0) -> None:
        def greeted_and_so() -> object:
            self._greet_for_the_silent()
            return condition()

        super().wait(greeted_and_so, timeout * self.patience)

    def _greet_for_the_silent(self) -> None:
        """Shake hands where a test lets nobody listen, so that the node does not hear of its link."""
        for node in self.nodes:
            for address in node.driver.connected_peers if node.driver.on_device_connected is None else ():
                if (node, address) not in self._greeted and node.driver.peer_role(address) is Role.CENTRAL:
                    self._greeted.add((node, address))
                    node.driver.send(address, node.identity)

    def settle(self, seconds: float) -> None:
        super().settle(seconds * self.patience)

    def vanish(self, node: Node) -> None:
        if isinstance(node.driver, BleakDriver):
            self._unplug()
        else:
            super().vanish(node)

    def strike(self, fault: Any, step: Any, node: Node) -> None:
        if isinstance(node.driver, BleakDriver):
            self.not_offered("faults of BlueZ itself while a link is set up (strike)")
        super().strike(fault, step, node)

    def radio_off(self, node: Node) -> None:
        self._unplug()
        super().radio_off(node)

    def close(self) -> None:
        # First: bluetoothd takes two seconds to end a link in order, and none to lose it. And a driver that is stopped
        # while it opens the radio anew must leave that to the next.
        self._unplug()
        super().close()


def _await(*, there: bool) -> None:
    deadline = time.monotonic() + PLUG_TIMEOUT
    while ADAPTER.exists() is not there:
        assert time.monotonic() < deadline, "the adapter does not come or go"
        time.sleep(0.1)
