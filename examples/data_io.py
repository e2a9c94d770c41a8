"""Carries data in both directions between two hosts, and proves that it arrived.

    python examples/data_io.py --name alice [--kib 100] [--json]
    python examples/data_io.py --name bob                           # on the other host

On two Raspberry Pis: start it on both, in any order. They find each other, whoever dials; each says "hello world", then
sends 100 KiB of random bytes as packets with a SHA-256 at the end, and tells the other whether what arrived matches.

    1.94  linked to 8c29… at B8:27:EB:12:34:56: we are central, ATT MTU 517
    1.97  bob says: hello world
    4.21  102400 bytes from bob are here and match their hash: 44.8 KiB/s
    4.40  bob says: the hash matches; 102400 bytes went out at 41.2 KiB/s
    4.71  OK: both directions were confirmed

The receiver acknowledges every few packets, and the sender is never more than a window ahead of that; why, and how, is
in `ble_cli/transfer/flow.py`.

If the link breaks, everything begins anew with the next one, until `--timeout`. Another adapter: `--adapter hci1`.
Without any hardware: `python -m drivers.bumble_driver.radio`, and `--driver bumble` on both.

Exit code: 0 if both directions were confirmed; 1 if not, with the reason; 2 if the command line makes no sense; 130 or
143 if it was interrupted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from _common.command_line import Parser, count, run, seconds

from ble_cli.programs.command import Command
from ble_cli.programs.fields import Nonsense, fields, printable
from ble_cli.programs.inbox import Inbox, Interrupted
from ble_cli.programs.outcome import Outcome, failure, success
from ble_cli.programs.program import Program
from ble_cli.programs.reporter import Reporter
from ble_cli.transfer.flow import ACKNOWLEDGEMENT, CHUNK, DATA, Incoming, Outgoing
from ble_driver import BLEDriverInterface
from ble_interface import BLEInterface, BLEPeerInterface, PeerGoneError

#: The first byte of each packet says what it is. Those of data and acknowledgements are in `ble_cli.transfer.flow`.
HELLO, END, ANSWER, FAREWELL = b"H", b"E", b"V", b"B"
#: Seconds to wait for the other side's farewell.
PARTING_TIME = 5.0


@dataclass(frozen=True)
class Confirmed:
    """Both directions of a transfer have been confirmed."""

    transfer: Transfer


@dataclass(frozen=True)
class Refuted:
    """What arrived is not what was sent."""

    reason: str


@dataclass(frozen=True)
class Over:
    """The peer has all that it needs of us, or its link is gone."""

    transfer: Transfer


class Transfer:
    """Both directions with one peer, for as long as its link lasts. All of it runs on the delivery thread."""

    def __init__(
        self, peer: BLEPeerInterface, name: str, payload: bytes, reporter: Reporter, tell: Callable[[object], None]
    ) -> None:
        self._peer = peer
        self._name = name
        self._payload = payload
        self._reporter = reporter
        self._tell = tell
        self.peer_name = peer.identity.hex()[:8]
        self._out = Outgoing(len(payload), self._chunk, self._send)
        self._in = Incoming(0, self._send)
        self._ended = False
        self._out_since = self._in_since = 0.0
        self.out_confirmed = self.in_confirmed = self.greeted = False

    def begin(self) -> None:
        hello = {"text": "hello world", "name": self._name, "bytes": len(self._payload)}
        self._send(HELLO + json.dumps(hello).encode())

    def take(self, packet: bytes) -> None:
        """Take one packet. What makes no sense comes from somebody who runs something else, and is ignored."""
        handlers: dict[bytes, Callable[[bytes], None]] = {
            HELLO: self._take_hello,
            DATA: lambda body: self._in.take_data(body),
            ACKNOWLEDGEMENT: self._take_acknowledgement,
            END: self._take_end,
            ANSWER: self._take_answer,
            FAREWELL: lambda _: self._tell(Over(self)),
        }
        handler = handlers.get(packet[:1])
        if handler is not None:
            with contextlib.suppress(Nonsense):
                handler(packet[1:])

    def missing(self) -> str:
        """What had not happened yet, in words."""
        if not self.greeted:
            return f"the peer {self.peer_name} never said hello: does it run this example?"
        out = f"{self._out.acknowledged} of {self._out.packets} packets to {self.peer_name} were acknowledged"
        into = f"{self._in.taken} of {self._in.packets} packets from it have arrived"
        return f"{out}, {into}"

    # --- out ----------------------------------------------------------------------------------------------------------

    def _take_hello(self, body: bytes) -> None:
        text, name, size = fields(body, text=str, name=str, bytes=int)
        self.peer_name = printable(name)
        self._in = Incoming(size, self._send)
        self.greeted = True
        self._report("received", f"{self.peer_name} says: {printable(text)}", message=text)
        self._out_since = self._in_since = time.monotonic()
        self._pump()

    def _chunk(self, number: int) -> bytes:
        return self._payload[number * CHUNK : (number + 1) * CHUNK]

    def _pump(self) -> None:
        self._out.pump()
        if self._out.is_sent and not self._ended:
            self._ended = True
            self._send(END + hashlib.sha256(self._payload).digest())
            text = f"all {len(self._payload)} bytes for {self.peer_name} are handed over"
            self._report("sent", text, bytes=len(self._payload), packets=self._out.packets)

    def _take_acknowledgement(self, body: bytes) -> None:
        if self._out.take_acknowledgement(body):
            self._pump()

    def _take_answer(self, body: bytes) -> None:
        self.out_confirmed, message = fields(body, ok=bool, text=str)
        message = printable(message)
        span, rate = _goodput(len(self._payload), self._out_since)
        sentence = f"{self.peer_name} says: {message}; {len(self._payload)} bytes went out at {rate} KiB/s"
        details = {"bytes": len(self._payload), "seconds": span, "kib_per_s": rate, "message": message}
        self._report("verified", sentence, direction="out", ok=self.out_confirmed, **details)
        if not self.out_confirmed:
            self._tell(Refuted(f"{self.peer_name} says: {message}"))
        self._look_whether_confirmed()

    # --- in -----------------------------------------------------------------------------------------------------------

    def _take_end(self, digest: bytes) -> None:
        size = self._in.received_bytes
        span, rate = _goodput(size, self._in_since)
        self.in_confirmed = size == self._in.size and self._in.digest == digest
        text = "the hash matches"
        if not self.in_confirmed:
            text = f"the hash does not match: {size} of {self._in.size} bytes arrived"
        self._send(ANSWER + json.dumps({"ok": self.in_confirmed, "text": text}).encode())
        verdict = "are here and match their hash" if self.in_confirmed else "DO NOT MATCH their hash"
        sentence = f"{size} bytes from {self.peer_name} {verdict}: {rate} KiB/s"
        details = {"bytes": size, "sha256": self._in.digest.hex()}
        self._report(
            "verified", sentence, direction="in", ok=self.in_confirmed, seconds=span, kib_per_s=rate, **details
        )
        if not self.in_confirmed:
            self._tell(Refuted(f"from {self.peer_name}: {text}"))
        self._look_whether_confirmed()

    # --- both ---------------------------------------------------------------------------------------------------------

    def _look_whether_confirmed(self) -> None:
        if self.in_confirmed and self.out_confirmed:
            # Our answer is before this on the way: whoever has this needs nothing more of us.
            self._send(FAREWELL)
            self._tell(Confirmed(self))

    def _send(self, packet: bytes) -> None:
        with contextlib.suppress(PeerGoneError):  # on_peer_disconnected follows
            self._peer.process_outgoing(packet)

    def _report(self, event: str, text: str, /, **details: object) -> None:
        self._reporter.report(event, text, peer=self.peer_name, **details)


def _goodput(size: int, since: float) -> tuple[float, float]:
    """Return the seconds since then, and KiB of payload in each of them."""
    span = max(time.monotonic() - since, 1e-6)
    return round(span, 3), round(size / 1024 / span, 1)


class DataIO(Program):
    """The owner of a `BLEInterface`: Reticulum, or another stack, would be in its place."""

    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        self._payload = os.urandom(self.options.kib * 1024)
        self._interface = BLEInterface(self, "data_io", driver, device_name=self.options.name)
        self._interface.on_peer_connected = self._peer_connected
        self._interface.on_peer_disconnected = self._peer_disconnected
        self._transfers: dict[BLEPeerInterface, Transfer] = {}
        self._links = 0

    def play(self) -> Outcome:
        identity = os.urandom(16)
        self._interface.start(identity)
        name = self.options.name
        self.report_started(f"{name} waits for a peer", name=name, identity=identity.hex(), kib=self.options.kib)
        deadline = time.monotonic() + self.options.timeout
        while (happening := self.inbox.get(deadline)) is not None:
            if isinstance(happening, Confirmed):
                self._part(happening.transfer)
                return success("both directions were confirmed", peer=happening.transfer.peer_name, links=self._links)
            if isinstance(happening, Refuted):
                return failure(happening.reason, links=self._links)
        return failure(f"{self._missing()} when the {self.options.timeout:g} s were over", links=self._links)

    def _part(self, transfer: Transfer) -> None:
        """Wait until the other side needs nothing more of us."""
        deadline = time.monotonic() + PARTING_TIME
        with contextlib.suppress(Interrupted):
            while (happening := self.inbox.get(deadline)) is not None:
                if isinstance(happening, Over) and happening.transfer is transfer:
                    return

    def _missing(self) -> str:
        if self._transfers:
            return "; ".join(transfer.missing() for transfer in list(self._transfers.values()))
        if self._links:
            return "the link was lost and had not come back"
        return f"no peer had been linked{self.radio_trouble}"

    def close(self) -> None:
        self._interface.stop()

    # --- what the interface calls, on its delivery thread -------------------------------------------------------------

    def _peer_connected(self, peer: BLEPeerInterface) -> None:
        self._links += 1
        self.reporter.report(
            "connected",
            f"linked to {peer.identity.hex()} at {peer.address}: we are {peer.role.value}, ATT MTU {peer.mtu}",
            address=peer.address,
            identity=peer.identity.hex(),
            role=peer.role.value,
            mtu=peer.mtu,
        )
        transfer = Transfer(peer, self.options.name, self._payload, self.reporter, self.inbox.put)
        self._transfers[peer] = transfer
        transfer.begin()

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Take a packet: the one method that an owner must have."""
        self._transfers[peer].take(packet)

    def _peer_disconnected(self, peer: BLEPeerInterface) -> None:
        transfer = self._transfers.pop(peer)
        text = f"the link to {transfer.peer_name} is gone"
        self.reporter.report("disconnected", text, address=peer.address, identity=peer.identity.hex())
        self.inbox.put(Over(transfer))


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("--name", default="node", help="what this side is called, 8 bytes at most (default: node)")
    parser.add_argument("--kib", type=count, default=100, help="KiB to send (default: 100)")
    parser.add_argument("--timeout", type=seconds, default=120.0, help="seconds for all of it (default: 120)")
    return run(parser, DataIO)


if __name__ == "__main__":
    sys.exit(main())
