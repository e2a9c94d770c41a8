"""Text between everybody in range, with nothing between your code and the library: the shortest complete use of it.

    python examples/chat.py --name alice
    python examples/chat.py --name bob        # on the other host

On two Raspberry Pis: start it on both, type on either. You see

    1.90  bob is here
    4.02  <bob> hello

Ctrl-C ends it. `ble-interface chat` is the same with receipts. Another adapter: `--adapter hci1`. Without any
hardware: `python -m drivers.bumble_driver.radio`, and `--driver bumble` on both.

Exit code: 0; 2 if the command line makes no sense.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading

from _common.command_line import Parser, run

from ble_cli.programs.command import Command
from ble_cli.programs.fields import printable
from ble_cli.programs.inbox import Inbox, Interrupted
from ble_cli.programs.outcome import Outcome, success
from ble_cli.programs.program import Program
from ble_cli.programs.reporter import Reporter
from ble_driver import BLEDriverInterface
from ble_interface import BLEInterface, BLEPeerInterface, PeerGoneError

#: A service of its own, so that only chats meet.
SERVICE = "5f2b6a52-6a3f-4bfb-9c1f-2f6a8f1d0c01"
#: The first byte of a packet: a name or a line.
NAME, LINE = b"N", b"L"


class Chat(Program):
    """The owner of the interface: takes packets in `inbound`, and gives them to peers."""

    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        self.names: dict[BLEPeerInterface, str] = {}
        self.interface = BLEInterface(self, "chat", driver, service_uuid=SERVICE)
        self.interface.on_peer_connected = self.came
        self.interface.on_peer_disconnected = self.went

    def came(self, peer: BLEPeerInterface) -> None:
        self.names[peer] = "somebody"
        peer.process_outgoing(NAME + self.options.name.encode())

    def went(self, peer: BLEPeerInterface) -> None:
        name = self.names.pop(peer)
        self.reporter.report("disconnected", f"{name} is gone", name=name)

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        text = printable(packet[1:].decode(errors="replace"))
        if packet[:1] == NAME:
            self.names[peer] = text
            self.reporter.report("connected", f"{text} is here", name=text)
        elif packet[:1] == LINE:
            self.reporter.report("received", f"<{self.names[peer]}> {text}", name=self.names[peer], text=text)

    def say(self, line: str) -> None:
        for peer in self.interface.peers:
            with contextlib.suppress(PeerGoneError):  # `went` follows
                peer.process_outgoing(LINE + line.encode()[:1000])

    def play(self) -> Outcome:
        self.interface.start(os.urandom(16))
        self.report_started("type a line and everybody in range has it")
        threading.Thread(target=self.read, daemon=True).start()
        with contextlib.suppress(Interrupted):
            while (line := self.inbox.get(math.inf)) is not None:
                self.say(str(line))
        return success("ended")

    def read(self) -> None:
        for line in sys.stdin:
            self.inbox.put(line.rstrip("\n"))

    def close(self) -> None:
        self.interface.stop()


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("--name", default="somebody", help="what you are called there")
    return run(parser, Chat)


if __name__ == "__main__":
    sys.exit(main())
