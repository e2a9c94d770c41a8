"""A `BLEInterface` on the guest's real BlueZ, or on any driver, obeying JSON lines on its standard input.

    python -m tests.bluez.guest_side.interface_node IDENTITY [DRIVER [OPTION=VALUE…]]

It reports "up" and "down" for each peer and "error" for trouble with the radio. Orders:
``{"do": "send", "peer": IDENTITY, "count": 100, "size": 500}`` sends numbered packets; "heard" reports how many packets
came from a peer, and whether they are intact; "play" sends this node's part of `wire.traffic`, "packets" reports what
arrived once there is silence; "stop" stops the interface and reports what it left behind. Other orders are methods of
the driver.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from typing import Any

from ble_driver import create_driver
from ble_interface import BLEInterface, BLEPeerInterface

from .report import say
from .wire import digest, frames, judge, traffic


class Node:
    """The owner of the interface."""

    def __init__(self, driver: str = "bleak", *options: str) -> None:
        self.heard: dict[str, list[bytes]] = {}
        pairs = [option.split("=", 1) for option in options]
        self.driver = create_driver(driver, **{key: int(text) if text.isdecimal() else text for key, text in pairs})
        self.driver.on_error = lambda error: say("error", text=str(error))
        self.interface = BLEInterface(
            self, "node", self.driver, max_packet=8192, outbox_size=1 << 22, status_socket=True
        )
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
            self.report_heard(order["peer"], order["count"], order.get("timeout", 60.0), order.get("size"))
        elif order["do"] == "play":
            self.play(order["me"], order["traffic"], order["names"])
        elif order["do"] == "packets":
            self.report_packets(order["silence"])
        elif order["do"] == "stop":
            begun = time.monotonic()
            self.interface.stop()
            threads = [thread.name for thread in threading.enumerate() if thread.name.startswith(("ble-", "node-"))]
            say("stopped", seconds=round(time.monotonic() - begun, 2), threads=threads)
        else:
            getattr(self.driver, order["do"])(*order.get("args", ()))

    def play(self, me: str, plan: list[Any], names: dict[str, str]) -> None:
        """Send what is this node's to send, as it comes."""
        for sender, recipients, packet in traffic(*plan):
            for recipient in recipients if sender == me else ():
                self.peer(names[recipient]).process_outgoing(packet)
        say("played")

    def report_packets(self, silence: float) -> None:
        """Report the packets of each peer when nothing has come for this many seconds."""
        had = -1
        while (have := sum(map(len, self.heard.values()))) != had:
            had = have
            time.sleep(silence)
        dropped = {peer.identity.hex(): dict(peer.dropped) for peer in self.interface.peers}
        say("packets", of={peer: list(map(digest, got)) for peer, got in self.heard.items()}, dropped=dropped)

    def report_heard(self, peer: str, count: int, timeout: float, size: int | None) -> None:
        """Report the packets from a peer, all or of one size, once there are as many as wanted, or time is up."""
        begun = time.monotonic()
        packets: list[bytes] = []
        while len(packets) < count and time.monotonic() - begun < timeout:
            time.sleep(0.02)
            packets = [packet for packet in self.heard.get(peer, ()) if size in (None, len(packet))]
        self.heard.pop(peer, None)
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
    node = Node(*sys.argv[2:])
    begun = time.monotonic()
    node.interface.start(bytes.fromhex(sys.argv[1]))
    say("started", pid=os.getpid(), seconds=round(time.monotonic() - begun, 2))
    for line in sys.stdin:
        node.obey(json.loads(line))


if __name__ == "__main__":
    main()
