"""The chat: what is typed goes to everybody who is linked, and each of them says that he has it."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from dataclasses import dataclass

from ble_driver import BLEDriverInterface

from ..programs.command import Command
from ..programs.fields import Nonsense, printable
from ..programs.inbox import Inbox, Interrupted
from ..programs.meeting import Heard, Left, Meeting, Met, Person
from ..programs.outcome import Outcome, failure, success
from ..programs.reporter import Reporter
from ..transfer.flow import NUMBER, number_in

#: The first byte of a packet: a text with its number, or the receipt for one.
TEXT, RECEIPT = b"T", b"R"
#: Characters of a line; longer ones are refused.
MAX_TEXT = 1000
#: Seconds to wait for receipts when there is no more input.
PARTING_TIME = 15.0


@dataclass(frozen=True)
class Typed:
    """A line of input; None at its end."""

    line: str | None


class Chat(Meeting):
    """The chat, with what comes on standard input."""

    tool = "chat"

    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        self._number = 0
        self._unsent: list[str] = []  # typed while nobody was there
        self._open: dict[tuple[Person, int], float] = {}  # texts without a receipt, and when they were sent
        self._texts = self._receipts = 0
        self._ends_at: float | None = None

    def play(self) -> Outcome:
        self.open("type a line to send it to everybody in range who runs this; Ctrl-C or Ctrl-D ends it")
        threading.Thread(target=self._read_input, name="input", daemon=True).start()
        with contextlib.suppress(Interrupted):  # the way to end it
            while (happening := self.get(self._ends_at or time.monotonic() + 3600)) is not None or not self._ends_at:
                self._take(happening)
                if self._ends_at and not self._open and not self._unsent:
                    break
        details = {"sent": self._number, "received": self._texts, "receipts": self._receipts}
        if self._unsent or self._open:
            return failure(f"{len(self._unsent) + len(self._open)} texts have reached nobody", **details)
        return success(f"{self._number} sent, {self._texts} received", **details)

    def _read_input(self) -> None:
        for line in sys.stdin:
            self.inbox.put(Typed(line.rstrip("\n")))
        self.inbox.put(Typed(None))

    def _take(self, happening: object) -> None:
        if isinstance(happening, Typed):
            self._typed(happening.line)
        elif isinstance(happening, Met):
            unsent, self._unsent = self._unsent, []
            for text in unsent:
                self._say(text)
        elif isinstance(happening, Left):
            lost = [key for key in self._open if key[0] is happening.person]
            for key in lost:
                del self._open[key]
                self.reporter.report("failed", f"text {key[1]} has no receipt from {key[0].name}", number=key[1])
        elif isinstance(happening, Heard):
            with contextlib.suppress(Nonsense):
                self.hear(happening.person, happening.packet)

    def _typed(self, text: str | None) -> None:
        if text is None:
            self._ends_at = time.monotonic() + PARTING_TIME
        elif len(text) > MAX_TEXT:
            self.reporter.report("failed", f"not sent: a line has {MAX_TEXT} characters at most", number=None)
        elif text and not any(person.greeted for person in list(self.people.values())):
            self._unsent.append(text)
            self.reporter.report("queued", "nobody is here yet; it is sent to the first who comes", text=text)
        elif text:
            self._say(text)

    def _say(self, text: str) -> None:
        self._number += 1
        for person in list(self.people.values()):
            if person.greeted:
                self._open[person, self._number] = time.monotonic()
                person.send(TEXT + NUMBER.pack(self._number) + text.encode())
        self.reporter.report("sent", None, number=self._number, text=text)

    def hear(self, person: Person, packet: bytes) -> str | None:
        """Take a packet; return the text, if it is one. Raises Nonsense."""
        if packet[:1] == RECEIPT:
            number = number_in(packet[1:])
            sent = self._open.pop((person, number), None)
            if sent is not None:
                self._receipts += 1
                took = time.monotonic() - sent
                self.reporter.report(
                    "verified",
                    f"{person.name} has it after {took:.2f} s",
                    number=number,
                    name=person.name,
                    seconds=round(took, 3),
                )
            return None
        if packet[:1] != TEXT:
            raise Nonsense
        number = number_in(packet[1 : 1 + NUMBER.size])
        text = printable(packet[1 + NUMBER.size :].decode(errors="replace"), MAX_TEXT)
        self._texts += 1
        person.send(RECEIPT + NUMBER.pack(number))
        self.reporter.report("received", f"<{person.name}> {text}", name=person.name, text=text)
        return text


class Echo(Chat):
    """Says everything back: whom a chat on the mock driver meets."""

    def play(self) -> Outcome:
        self.open("says everything back")
        while True:
            self._take(self.get())

    def hear(self, person: Person, packet: bytes) -> str | None:
        text = super().hear(person, packet)
        if text is not None:
            self._say(text)
        return text
