"""A `BLEInterface` on the guest's real BlueZ, obeying JSON lines on its standard input.

    python -m tests.bluez.guest_side.interface_node IDENTITY

It reports "up" and "down" for each peer and "error" for trouble with the radio. Orders:
``{"do": "send", "peer": IDENTITY, "count": 100, "size": 500}`` sends numbered packets; "heard" reports how many packets
came from a peer, and whether they are intact; "stop" stops the interface and reports what it left behind.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from typing import Any

from ble_interface import BLEInterface, BLEPeerInterface
from drivers.bleak_driver import BleakDriver

from .report import say
from .wire import frames, judge


class Node:
    """The owner of the interface."""

    def __init__(self) -> None:
        self.heard: dict[str, list[bytes]] = {}
        self.driver = BleakDriver(adapter="hci0")
        self.driver.on_error = lambda error: say("error", text=str(error))
        self.interface = BLEInterface(self, "node", self.driver, max_packet=8192, outbox_size=1 << 22)
        self.interface.on_peer_connected = lambda peer: say(
            "up", peer=peer.identity.hex(), address=peer.address, role=peer.role.value, mtu=peer.mtu
        )
        self.interface.on_peer_disconnected = lambda peer: say("down", peer=peer.identity.hex())

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Keep a packet."""
        self.heard.setdefault(peer.identity.hex(), []).append(packet)

    def peer(self, identity: str) -> BLEPeerInterface:
        """Return a peer by its identity in hex."""
        (peer,) = [peer for peer in self.interface.peers if peer.identity.hex() == identity]
        return peer

    def obey(self, order: dict[str, Any]) -> None:
        """Carry out one order."""
        if order["do"] == "send":
            peer = self.peer(order["peer"])
            for packet in frames(order["count"], order["size"]):
                peer.process_outgoing(packet)
        elif order["do"] == "heard":
            self.report_heard(order["peer"], order["count"], order.get("timeout", 60.0))
        elif order["do"] == "stop":
            begun = time.monotonic()
            self.interface.stop()
            threads = [thread.name for thread in threading.enumerate() if thread.name.startswith(("ble-", "node-"))]
            say("stopped", seconds=round(time.monotonic() - begun, 2), threads=threads)

    def report_heard(self, peer: str, count: int, timeout: float) -> None:
        """Report the packets from a peer once there are as many as wanted, or time is up."""
        begun = time.monotonic()
        while len(self.heard.get(peer, ())) < count and time.monotonic() - begun < timeout:
            time.sleep(0.02)
        packets = self.heard.pop(peer, [])
        dropped = {str(p.identity.hex()): dict(p.dropped) for p in self.interface.peers}
        say(
            "heard",
            peer=peer,
            seconds=round(time.monotonic() - begun, 2),
            dropped=dropped,
            **judge(packets),
        )


def main() -> None:
    """Start the interface and obey."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(relativeCreated)d %(name)s: %(message)s")
    node = Node()
    begun = time.monotonic()
    node.interface.start(bytes.fromhex(sys.argv[1]))
    say("started", pid=os.getpid(), seconds=round(time.monotonic() - begun, 2))
    for line in sys.stdin:
        node.obey(json.loads(line))


if __name__ == "__main__":
    main()
