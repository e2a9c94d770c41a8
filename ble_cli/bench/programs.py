"""The one who measures and the one who answers: latency first, then goodput and loss each way."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..programs.fields import Nonsense, fields
from ..programs.inbox import Interrupted
from ..programs.meeting import Heard, Left, Meeting, Met, Person
from ..programs.outcome import Outcome, failure, success
from ..transfer.flow import ACKNOWLEDGEMENT, CHUNK, DATA, NUMBER, Incoming, Outgoing, number_in

#: The first byte of a packet: a ping and its answer; "this many bytes will come"; "send me as many"; "that was all";
#: and how many packets of it came.
PING, PONG, COMING, WANTED, ALL, COUNTED = b"P", b"Q", b"C", b"W", b"E", b"N"
#: How often the way there and back is timed, and the seconds after which an answer is taken for lost.
PINGS, PING_TIMEOUT = 20, 5.0
#: Seconds without any progress after which a direction is given up.
STALL = 30.0
#: Bytes that an answering host sends at most on demand.
MAX_WANTED = 10 << 20


@dataclass(frozen=True)
class Rate:
    """One direction: bytes of payload, the seconds that they took, packets sent and lost."""

    size: int
    seconds: float
    packets: int
    lost: int

    @property
    def bytes_per_s(self) -> float:
        return self.size / max(self.seconds, 1e-6)

    def details(self) -> dict[str, float]:
        """The figures for programs."""
        rate = round(self.bytes_per_s)
        return {"bytes": self.size, "seconds": round(self.seconds, 3), "bytes_per_s": rate} | {
            "packets": self.packets,
            "lost": self.lost,
        }

    def __str__(self) -> str:
        return f"{self.bytes_per_s / 1000:.1f} kB/s, {self.lost} of {self.packets} packets lost"


class _FailedError(Exception):
    """It could not be measured; the text says why."""


class Answer(Meeting):
    """Answers whoever measures, for as long as it runs."""

    tool = "bench"
    does = "answer"

    def play(self) -> Outcome:
        self.open("answers those who measure; Ctrl-C ends it")
        sides: dict[Person, _Side] = {}
        with contextlib.suppress(Interrupted):  # the way to end it
            while (happening := self.get()) is not None:
                if isinstance(happening, Left):
                    sides.pop(happening.person, None)
                elif isinstance(happening, Heard):
                    side = sides.setdefault(happening.person, _Side(happening.person))
                    with contextlib.suppress(Nonsense):
                        side.hear(happening.packet[:1], happening.packet[1:])
        return success("ended")


class _Side:
    """What the answering host knows of one who measures."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._in = Incoming(0, person.send)
        self._out = Outgoing(0, _chunk_of(0), person.send)

    def hear(self, kind: bytes, body: bytes) -> None:
        """Take a packet. Raises Nonsense."""
        send = self._person.send
        if kind == PING:
            send(PONG + NUMBER.pack(number_in(body)))
        elif kind == COMING:
            self._in = Incoming(number_in(body), send)
        elif kind == DATA:
            self._in.take_data(body)
        elif kind == ALL:
            send(COUNTED + json.dumps({"packets": self._in.received, "bytes": self._in.received_bytes}).encode())
        elif kind == WANTED:
            size = min(number_in(body), MAX_WANTED)
            self._out = Outgoing(size, _chunk_of(size), send)
            self._out.pump()
        elif kind == ACKNOWLEDGEMENT:
            self._out.take_acknowledgement(body)


class Bench(Meeting):
    """Measures to one who answers."""

    tool = "bench"
    does = "measure"

    def play(self) -> Outcome:
        wanted = self.options.peer
        self.open(f"looks for {wanted}")
        deadline = time.monotonic() + self.options.timeout
        try:
            person = self._find(wanted, deadline)
            return self._measure(person)
        except _FailedError as error:
            return failure(f"{error}{self.radio_trouble}")

    def _find(self, wanted: str, deadline: float) -> Person:
        others: list[str] = []
        while (happening := self.get(deadline)) is not None:
            if isinstance(happening, Met) and happening.person.does == "answer":
                if happening.person.is_called(wanted):
                    return happening.person
                others.append(f"{happening.person.name} ({happening.person.identity[:8]})")
        there = f"; there is: {', '.join(others)}" if others else ": does it run `ble-interface bench`?"
        raise _FailedError(f"{wanted} was not met{there}")

    def _measure(self, person: Person) -> Outcome:
        size = self.options.kib * 1024
        trips = [trip for number in range(PINGS) if (trip := self._ping(person, number)) is not None]
        if not trips:
            raise _FailedError(f"{person.name} answers no ping")
        typical, worst = statistics.median(trips), max(trips)
        words = f"there and back in {1000 * typical:.0f} ms, {1000 * worst:.0f} at worst"
        self.reporter.report(
            "verified",
            f"{words}, {PINGS - len(trips)} of {PINGS} lost",
            what="latency",
            median_s=round(typical, 4),
            worst_s=round(worst, 4),
            sent=PINGS,
            lost=PINGS - len(trips),
        )
        out = self._send(person, size)
        self.reporter.report("verified", f"to {person.name}: {out}", what="out", **out.details())
        into = self._fetch(person, size)
        self.reporter.report("verified", f"from {person.name}: {into}", what="in", **into.details())
        return success(
            f"{out.bytes_per_s / 1000:.1f} kB/s out, {into.bytes_per_s / 1000:.1f} kB/s in, {1000 * typical:.0f} ms, "
            f"as {person.peer.role.value} with ATT MTU {person.peer.mtu}",
            peer=person.name,
            role=person.peer.role.value,
            mtu=person.peer.mtu,
            latency_s=round(typical, 4),
            out=out.details(),
            into=into.details(),
        )

    def _ping(self, person: Person, number: int) -> float | None:
        begun = time.monotonic()
        person.send(PING + NUMBER.pack(number))
        deadline = begun + PING_TIMEOUT
        while (body := self._await(person, PONG, deadline)) is not None:
            if body == NUMBER.pack(number):
                return time.monotonic() - begun
        return None

    def _send(self, person: Person, size: int) -> Rate:
        begun = time.monotonic()
        out = Outgoing(size, _chunk_of(size), person.send)
        person.send(COMING + NUMBER.pack(size))
        out.pump()
        while out.acknowledged < out.packets:
            body = self._await(person, ACKNOWLEDGEMENT, time.monotonic() + STALL)
            if body is None:
                raise _FailedError(f"{person.name} acknowledged {out.acknowledged} of {out.packets} packets, then none")
            with contextlib.suppress(Nonsense):
                out.take_acknowledgement(body)
        took = time.monotonic() - begun
        person.send(ALL)
        counted = self._await(person, COUNTED, time.monotonic() + STALL)
        try:
            (came,) = fields(counted or b"", packets=int)
        except Nonsense:
            raise _FailedError(f"{person.name} does not say how much arrived") from None
        return Rate(size, took, out.packets, out.packets - came)

    def _fetch(self, person: Person, size: int) -> Rate:
        begun = time.monotonic()
        into = Incoming(size, person.send)
        person.send(WANTED + NUMBER.pack(size))
        while into.taken < into.packets:
            body = self._await(person, DATA, time.monotonic() + STALL)
            if body is None:
                raise _FailedError(f"{into.taken} of {into.packets} packets came from {person.name}, then none")
            with contextlib.suppress(Nonsense):
                into.take_data(body)
        return Rate(into.received_bytes, time.monotonic() - begun, into.packets, into.lost)

    def _await(self, person: Person, kind: bytes, deadline: float) -> bytes | None:
        """Return the next packet of this kind without its first byte; None at the deadline."""
        while (happening := self.get(deadline)) is not None:
            if isinstance(happening, Left) and happening.person is person:
                raise _FailedError(f"the link to {person.name} was lost")
            if isinstance(happening, Heard) and happening.person is person and happening.packet[:1] == kind:
                return happening.packet[1:]
        return None


def _chunk_of(size: int) -> Callable[[int], bytes]:
    """Return what returns chunks of nothing: no radio compresses."""
    return lambda number: bytes(max(0, min(CHUNK, size - number * CHUNK)))
