"""What two nodes have to do for the demo to count: announce, talk both ways with proofs, and move a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from _demo.errors import MissingError
from _demo.events import EventLog

FILE_SIZE = 64 * 1024
GREETING = "Hello over Bluetooth, with no network in between."
ANSWER = "Loud and clear, and this came as a single packet."

Command = Callable[[str, str], None]
"""Called with the name of a node and a command for it."""


class Story:
    """The acts, in order. Each raises MissingError with the name of what did not happen."""

    def __init__(self, first: str, second: str, events: EventLog, command: Command, directory: Path) -> None:
        self._first = first
        self._second = second
        self._events = events
        self._command = command
        self._directory = directory

    async def tell(self) -> None:
        await self.nodes_start()
        await self.nodes_hear_each_other()
        # The two ways that LXMF has: over a link that is set up first, and in a single packet.
        await self.message(self._first, self._second, "direct", GREETING)
        await self.message(self._second, self._first, "opportunistic", ANSWER)
        await self.file(self._first, self._second)

    async def nodes_start(self) -> None:
        for name in (self._first, self._second):
            await self._events.expect(f"the start of {name}", node=name, event="up")

    async def nodes_hear_each_other(self) -> None:
        for name, peer in ((self._first, self._second), (self._second, self._first)):
            await self._events.expect(f"the announce of {peer} at {name}", node=name, event="heard", peer=peer)

    async def message(self, sender: str, recipient: str, method: str, text: str) -> None:
        self._command(sender, f"{method} {recipient} {text}")
        what = f"the message from {sender} at {recipient}"
        fields = {"peer": sender, "method": method, "text": text, "verified": True}
        await self._events.expect(what, node=recipient, event="message_received", **fields)
        what = f"the proof of delivery of the message from {sender} to {recipient}"
        await self._events.expect(what, node=sender, event="message_delivered", peer=recipient)

    async def file(self, sender: str, recipient: str) -> None:
        payload = os.urandom(FILE_SIZE)  # random, so that compression cannot make it smaller
        path = self._directory / "payload.bin"
        path.write_bytes(payload)
        self._command(sender, f"file {recipient} {path}")
        what = f"the {FILE_SIZE // 1024} KiB file from {sender} at {recipient}"
        event = await self._events.expect(what, node=recipient, event="file_received", peer=sender)
        if not same_sha256(Path(event["path"]), payload):  # not what the nodes say of it, but what lies on the disk
            raise MissingError(f"{what}: it arrived, but it is not byte-identical")
        what = f"the proof of delivery of the file from {sender} to {recipient}"
        await self._events.expect(what, node=sender, event="file_delivered", peer=recipient)


def same_sha256(path: Path, payload: bytes) -> bool:
    return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(payload).digest()
