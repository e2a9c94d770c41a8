"""Sending and receiving one file. If the link breaks it goes on where it was with the next one."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

from ble_driver import BLEDriverInterface

from ..programs.command import Command
from ..programs.fields import Nonsense, fields, printable
from ..programs.inbox import Inbox, Interrupted
from ..programs.meeting import Heard, Left, Meeting, Met, Person
from ..programs.outcome import Outcome, failure, success
from ..programs.reporter import Reporter
from .files import MAX_SIZE, Sink, Source
from .flow import ACKNOWLEDGEMENT, CHUNK, DATA, Incoming, Outgoing
from .progress import TransferProgress

#: The first byte of a packet: name, size and hash of a file; whether it arrived; and that the answer did.
OFFER, ANSWER, FAREWELL = b"O", b"V", b"B"
#: Seconds to wait for the last word of the other side.
PARTING_TIME = 5.0


class Send(Meeting):
    """Sends a file to the first who receives."""

    tool = "file"
    does = "send"

    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        self._source = Source(self.options.file)
        self._progress: TransferProgress | None = None
        self._to: Person | None = None
        self._out = Outgoing(0, self._source.chunk, len)

    def play(self) -> Outcome:
        self.open(f"waits for somebody who receives {self._source.name}")
        deadline = time.monotonic() + self.options.timeout
        while (happening := self.get(deadline)) is not None:
            if isinstance(happening, Met) and self._to is None and happening.person.does == "receive":
                self._offer(happening.person)
            elif isinstance(happening, Left) and happening.person is self._to:
                self._to = None
            elif isinstance(happening, Heard) and happening.person is self._to:
                deadline = time.monotonic() + self.options.timeout
                with contextlib.suppress(Nonsense):
                    if (outcome := self._hear(happening.person, happening.packet)) is not None:
                        return outcome
        return failure(f"nobody who receives was heard for {self.options.timeout:g} s{self.radio_trouble}")

    def _offer(self, person: Person) -> None:
        self._to = person
        self._out = Outgoing(self._source.size, self._source.chunk, person.send)
        offer = {"name": self._source.name, "bytes": self._source.size, "sha256": self._source.digest.hex()}
        person.send(OFFER + json.dumps(offer).encode())

    def _hear(self, person: Person, packet: bytes) -> Outcome | None:
        kind, body = packet[:1], packet[1:]
        if kind == ACKNOWLEDGEMENT and self._out.sent == 0:  # the first says where to go on
            self._out.begin_at(int.from_bytes(body, "big"))
            self._progress = self._progress or TransferProgress(self.reporter, self._source.name, self._source.size)
            self._out.pump()
        elif kind == ACKNOWLEDGEMENT and self._out.take_acknowledgement(body) and self._progress is not None:
            self._progress.update(min(self._source.size, self._out.acknowledged * CHUNK))
        elif kind == ANSWER:
            ok, text = fields(body, ok=bool, text=str)
            person.send(FAREWELL)
            return self._outcome(person, ok, printable(text))
        return None

    def _outcome(self, person: Person, ok: bool, text: str) -> Outcome:
        took = self._progress.end() if self._progress is not None else 1e-6
        self._wait_until_sent(person)
        details = {"sha256": self._source.digest.hex(), "bytes": self._source.size, "seconds": round(took, 3)}
        if not ok:
            return failure(f"{person.name} says: {text}", **details)
        rate = self._source.size / took / 1000
        self.reporter.say(f"SHA-256 {details['sha256']}")
        return success(
            f"{person.name} has {self._source.name}: {self._source.size} bytes in {took:.1f} s, {rate:.1f} kB/s",
            bytes_per_s=round(1000 * rate),
            **details,
        )

    def _wait_until_sent(self, person: Person) -> None:
        """See our farewell out of the house: the other side waits for it, or for the end of the link."""
        deadline = time.monotonic() + PARTING_TIME
        with contextlib.suppress(Interrupted):
            while (happening := self.get(deadline)) is not None:
                if isinstance(happening, Left) and happening.person is person:
                    return

    def close(self) -> None:
        super().close()
        if self._progress is not None:
            self._progress.end()
        self._source.close()


class Receive(Meeting):
    """Takes one file from the first who sends."""

    tool = "file"
    does = "receive"

    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        self._directory: Path = self.options.to
        self._from: Person | None = None
        self._offered: tuple[str, int, str] | None = None
        self._in = Incoming(0, len)
        self._sink: Sink | None = None
        self._progress: TransferProgress | None = None

    def play(self) -> Outcome:
        self.open("waits for somebody who sends")
        deadline = time.monotonic() + self.options.timeout
        while (happening := self.get(deadline)) is not None:
            if isinstance(happening, Left) and happening.person is self._from:
                self._from = None
            elif isinstance(happening, Heard):
                if happening.person is self._from:
                    deadline = time.monotonic() + self.options.timeout
                with contextlib.suppress(Nonsense):
                    if (outcome := self._hear(happening.person, happening.packet)) is not None:
                        return outcome
        return failure(f"nobody who sends was heard for {self.options.timeout:g} s{self.radio_trouble}")

    def _hear(self, person: Person, packet: bytes) -> Outcome | None:
        kind, body = packet[:1], packet[1:]
        if kind == OFFER and person.does == "send":
            return self._take_offer(person, body)
        if kind == DATA and person is self._from and self._sink is not None:
            self._in.take_data(body)
            if self._progress is not None:
                self._progress.update(self._in.received_bytes)
            if self._in.taken == self._in.packets:
                return self._finish(person)
        return None

    def _take_offer(self, person: Person, body: bytes) -> Outcome | None:
        name, size, digest = fields(body, name=str, bytes=int, sha256=str)
        if not 0 < size <= MAX_SIZE:
            raise Nonsense
        if self._sink is not None and self._offered == (name, size, digest):
            self._from = person  # over a new link, perhaps before the end of the old one was noticed
            self._in.continue_over(person.send)
            return None
        if self._from is not None:
            person.send(ANSWER + json.dumps({"ok": False, "text": "another file is coming in"}).encode())
            return None
        self._from = person
        try:
            self._forget()
            self._sink = Sink(self._directory, name)
        except OSError as error:
            person.send(ANSWER + json.dumps({"ok": False, "text": "it cannot be written here"}).encode())
            return failure(f"{self._directory} cannot be written: {error.strerror}")
        self._offered = (name, size, digest)
        self._in = Incoming(size, person.send, self._sink.write)
        what = self._sink.path.name
        self.reporter.report("offered", f"{person.name} sends {what}, {size} bytes", file=what, bytes=size)
        self._progress = TransferProgress(self.reporter, what, size)
        self._in.acknowledge()
        return None

    def _finish(self, person: Person) -> Outcome:
        assert self._sink is not None
        assert self._progress is not None
        assert self._offered is not None
        took = self._progress.end()
        ok = self._in.received_bytes == self._in.size and self._in.digest.hex() == self._offered[2]
        text = "the hash matches" if ok else f"the hash does not match; {self._in.lost} packets were lost"
        details = {"bytes": self._in.received_bytes, "sha256": self._in.digest.hex(), "seconds": round(took, 3)}
        if ok:
            path, self._sink = self._sink.keep(), None
        person.send(ANSWER + json.dumps({"ok": ok, "text": text}).encode())
        self._await_farewell(person)
        if not ok:
            return failure(text, **details)
        rate = self._in.size / took
        self.reporter.say(f"SHA-256 {details['sha256']}, which is that of the sender")
        return success(
            f"{path} is here: {self._in.size} bytes in {took:.1f} s, {rate / 1000:.1f} kB/s",
            file=str(path),
            bytes_per_s=round(rate),
            **details,
        )

    def _await_farewell(self, person: Person) -> None:
        """Stay until the answer has arrived."""
        deadline = time.monotonic() + PARTING_TIME
        with contextlib.suppress(Interrupted):
            while (happening := self.get(deadline)) is not None:
                gone = isinstance(happening, Left) and happening.person is person
                if gone or (isinstance(happening, Heard) and happening.packet == FAREWELL):
                    return

    def _forget(self) -> None:
        if self._progress is not None:
            self._progress.end()
        if self._sink is not None:
            self._sink.drop()
            self._sink = None

    def close(self) -> None:
        super().close()
        self._forget()
