"""Programs that people start on two hosts, and that find each other: they meet nobody but their like.

Each tool has a GATT service of its own, so that a chat does not send its words to a node of Reticulum. The first packet
each way says who is there; what the tool makes of the others is its own.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import uuid
from dataclasses import dataclass, field
from typing import ClassVar

from ble_driver import IDENTITY_LENGTH, BLEDriverInterface
from ble_interface import SERVICE_UUID, BLEInterface, BLEPeerInterface, PeerGoneError

from .command import Command
from .fields import Nonsense, fields, printable
from .inbox import Inbox
from .program import Program
from .reporter import Reporter

HELLO = b"H"
#: Packets that may wait to be read; who sends faster loses some.
MAX_WAITING = 1000
#: Characters of a name.
MAX_NAME = 32


@dataclass(eq=False)
class Person:
    """Who is at the other end of a link.

    Attributes:
        name: what he calls himself, fit to be shown.
        does: what he is here for, in the words of the tool.
        greeted: whether he has said so.
    """

    peer: BLEPeerInterface
    name: str = "somebody"
    does: str = ""
    greeted: bool = False

    @property
    def identity(self) -> str:
        return self.peer.identity.hex()

    def send(self, packet: bytes) -> None:
        """Send a packet; one to a link that is gone is lost, and the news of it on its way."""
        with contextlib.suppress(PeerGoneError):
            self.peer.process_outgoing(packet)

    def is_called(self, word: str) -> bool:
        """Whether a name, an address or the begin of an identity means him."""
        return word.lower() in (self.name.lower(), self.peer.address.lower()) or (
            len(word) >= 4 and self.identity.startswith(word.lower())
        )


@dataclass(frozen=True)
class Met:
    """Somebody has said who he is."""

    person: Person


@dataclass(frozen=True)
class Left:
    """His link is gone."""

    person: Person


@dataclass(frozen=True)
class Heard:
    """A packet came, which is not his greeting."""

    person: Person
    packet: bytes = field(repr=False)


class Meeting(Program):
    """A program that meets its like.

    Attributes:
        tool: its name, from which its GATT service follows.
        does: what this side is here for.
        people: who is linked, by the peer.
        me: what this side calls itself.
    """

    tool: ClassVar[str]
    does: ClassVar[str] = ""

    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        self.people: dict[BLEPeerInterface, Person] = {}
        self.me = printable(self.options.name or socket.gethostname(), MAX_NAME)
        self._interface = BLEInterface(self, self.tool, driver, service_uuid=service_of(self.tool), status_socket=True)
        self._interface.on_peer_connected = self._connected
        self._interface.on_peer_disconnected = self._disconnected

    def open(self, text: str) -> None:
        """Begin to look for others, and say so."""
        identity = os.urandom(IDENTITY_LENGTH)
        self._interface.start(identity)
        self.report_started(text, name=self.me, identity=identity.hex())

    def close(self) -> None:
        self._interface.stop()

    def get(self, deadline: float = math.inf) -> object | None:
        """Return the next of `Met`, `Left`, `Heard` and what else was put into the inbox; None at the deadline.

        Raises:
            Interrupted: there was a signal.
        """
        while True:
            happening = self.inbox.get(deadline)
            if not isinstance(happening, Heard) or happening.person.greeted:
                return happening
            with contextlib.suppress(Nonsense):
                return self._greet(happening.person, happening.packet)

    def _greet(self, person: Person, packet: bytes) -> Met:
        if packet[:1] != HELLO:
            raise Nonsense
        name, person.does = fields(packet[1:], name=str, does=str)
        person.name = printable(name, MAX_NAME) or "somebody"
        person.greeted = True
        peer = person.peer
        self.reporter.report(
            "connected",
            f"{person.name} is here: {person.identity[:8]} at {peer.address}, we are {peer.role.value}, "
            f"ATT MTU {peer.mtu}",
            name=person.name,
            does=person.does,
            identity=person.identity,
            address=peer.address,
            role=peer.role.value,
            mtu=peer.mtu,
        )
        return Met(person)

    # --- what the interface calls, on its delivery thread -------------------------------------------------------------

    def _connected(self, peer: BLEPeerInterface) -> None:
        self.people[peer] = Person(peer)
        self.people[peer].send(HELLO + json.dumps({"name": self.me, "does": self.does}).encode())

    def _disconnected(self, peer: BLEPeerInterface) -> None:
        person = self.people.pop(peer)
        if person.greeted:
            self.reporter.report(
                "disconnected", f"the link to {person.name} is gone", name=person.name, identity=person.identity
            )
        self.inbox.put(Left(person))

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Take a packet: the one method that an owner must have."""
        if self.inbox.waiting < MAX_WAITING:
            self.inbox.put(Heard(self.people[peer], packet))


def service_of(tool: str) -> str:
    """Return the UUID of the GATT service of a tool."""
    return str(uuid.uuid5(uuid.UUID(SERVICE_UUID), tool))
