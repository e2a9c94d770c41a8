"""A mesh stack without Reticulum: every node repeats what it has not heard yet, so a text goes over many hops.

    python examples/mesh.py --name alice          # on each of any number of hosts, of which not all hear all

What is typed on one is shown on every other, once, with the number of hops it came over. Without any hardware:
`python -m drivers.bumble_driver.radio`, and `--driver bumble` on all. Exit code: 0; 2 if the command line is nonsense.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable

from _common.command_line import Parser, run

from ble_cli.programs.command import Command
from ble_cli.programs.fields import printable
from ble_cli.programs.inbox import Inbox, Interrupted
from ble_cli.programs.outcome import Outcome, success
from ble_cli.programs.program import Program
from ble_cli.programs.reporter import Reporter
from ble_driver import BLEDriverInterface
from ble_interface import BLEInterface, BLEPeerInterface, PeerGoneError

#: A service of its own; how far a text goes; how many are remembered; bytes of its number.
SERVICE, MAX_HOPS, MEMORY, ID = "5f2b6a52-6a3f-4bfb-9c1f-2f6a8f1d0c02", 8, 1000, 8


class Mesh:
    """The stack: a packet is the number of a text, the hops it came over, and the text. `on_text` gets each once."""

    def __init__(self, driver: BLEDriverInterface, on_text: Callable[[str, int], object]) -> None:
        self.interface = BLEInterface(self, "mesh", driver, service_uuid=SERVICE)
        self._on_text = on_text
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def send(self, text: str) -> None:
        number = os.urandom(ID)
        self._known[number] = None
        self._flood(number + bytes([1]) + text.encode()[:400], None)

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        number, hops = packet[:ID], packet[ID : ID + 1]
        if not hops or number in self._known or not 1 <= hops[0] <= MAX_HOPS:
            return  # heard already, or nonsense
        self._known[number] = None
        if len(self._known) > MEMORY:
            self._known.popitem(last=False)
        self._on_text(packet[ID + 1 :].decode(errors="replace"), hops[0])
        self._flood(number + bytes([hops[0] + 1]) + packet[ID + 1 :], peer)

    def _flood(self, packet: bytes, source: BLEPeerInterface | None) -> None:
        for peer in self.interface.peers:
            if peer is not source:
                with contextlib.suppress(PeerGoneError):  # it hears it from somebody else, or not at all
                    peer.process_outgoing(packet)


class Node(Program):
    """The stack with a keyboard and a screen."""

    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        self.mesh = Mesh(driver, self.show)
        self.mesh.interface.on_peer_connected = lambda peer: reporter.report("connected", f"a link to {peer.address}")

    def show(self, text: str, hops: int) -> None:
        self.reporter.report("received", f"{printable(text, 500)}  ({hops} hops)", text=printable(text, 500), hops=hops)

    def play(self) -> Outcome:
        self.mesh.interface.start(os.urandom(16))
        self.report_started("type a line and the whole mesh has it")
        threading.Thread(target=self.read, daemon=True).start()
        with contextlib.suppress(Interrupted):
            while (line := self.inbox.get(math.inf)) is not None:
                self.mesh.send(f"{self.options.name}: {line}")
        return success("ended")

    def read(self) -> None:
        for line in sys.stdin:
            self.inbox.put(line.strip())

    def close(self) -> None:
        self.mesh.interface.stop()


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("--name", default="somebody", help="what this node is called")
    return run(parser, Node)


if __name__ == "__main__":
    sys.exit(main())
