"""A node on the emulated radio that obeys lines on its standard input, and prints JSON lines.

    python -m benchmarks._programs.interface_node NUMBER RADIO MAX_PACKET

It reports "started", "up" when a peer is there, and "heard" for the first packet. ``send COUNT SIZE`` sends packets;
``expect COUNT`` reports "received" once so many have arrived.
"""

from __future__ import annotations

import json
import sys
import threading

from ble_driver import create_driver
from ble_interface import BLEInterface, BLEPeerInterface


class Node:
    """The owner of an interface."""

    def __init__(self, number: int, radio: str, max_packet: int) -> None:
        self._received = 0
        self._changed = threading.Condition()
        driver = create_driver("bumble", radio=radio)
        self._interface = BLEInterface(self, "node", driver, max_packet=max_packet, outbox_size=1 << 24)
        self._interface.on_peer_connected = self._up
        self._interface.start(number.to_bytes(16, "big"))
        tell("started")

    def _up(self, peer: BLEPeerInterface) -> None:
        tell("up")
        peer.process_outgoing(b"first")

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Count a packet."""
        if packet == b"first":
            tell("heard")
            return
        with self._changed:
            self._received += 1
            self._changed.notify_all()

    def send(self, count: int, size: int) -> None:
        """Hand over packets for the peer."""
        (peer,) = self._interface.peers
        for _ in range(count):
            peer.process_outgoing(bytes(size))

    def expect(self, count: int) -> None:
        """Wait for packets; those that come later count for the next time."""
        with self._changed:
            self._changed.wait_for(lambda: self._received >= count)
            self._received -= count
        tell("received")

    def stop(self) -> None:
        """Stop the interface."""
        self._interface.stop()


def tell(event: str) -> None:
    """Report an event."""
    print(json.dumps({"event": event}), flush=True)


def main() -> None:
    """Obey until the input ends."""
    node = Node(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    for line in sys.stdin:
        word, *numbers = line.split()
        (node.send if word == "send" else node.expect)(*map(int, numbers))
    node.stop()


if __name__ == "__main__":
    main()
