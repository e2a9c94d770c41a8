"""One link as the protocol sees it: its state, its signs of life, and its frames on the way to packets.

A plain class that is handed the time. `link_table` decides what becomes of it.
"""

from __future__ import annotations

import math
from collections import Counter

from ble_driver import DEFAULT_MTU, Role, clamp_mtu

from .fragmentation import HEADER_SIZE, Reassembler, is_fragment
from .gatt import HANDSHAKE_TIMEOUT, KEEPALIVE, KEEPALIVE_INTERVAL, PING, PONG, PROBE_SIZE
from .states import ConnectionState, check_transition

#: Seconds of silence after which a link loses to any live one (PROTOCOL.md, Who dials).
SILENCE_LIMIT = 45.0
#: Seconds that a loser is still listened to before it is closed (PROTOCOL.md, Who dials).
DRAIN_TIME = 10.0
#: Seconds that a claim waits for the link it claims to end: a peer that drains that link for 10 s (PROTOCOL.md, Who
#: dials) has closed it by then, and one that has vanished was missed by the radio.
WAIT_TIME = DRAIN_TIME + 5.0
#: Seconds in which a PING must be answered; connection intervals are at most 4 s (Core Spec 5.4, Vol 6, B, 4.5.1).
PROBE_TIMEOUT = 5.0
#: Seconds after which the driver is asked what became of an attempt or of a link that it was told to end.
RECONCILE_TIME = 15.0
#: Bytes of packets, each with `HELD_OVERHEAD`, that are held back for a link that waits.
HELD_SIZE = 65_536
#: Bytes that a packet takes in memory beside its own.
HELD_OVERHEAD = 64

#: How long a link may stay in a state, in seconds; ACTIVE has deadlines of its own.
_TIME_IN = {
    ConnectionState.DIALLING: RECONCILE_TIME,
    ConnectionState.UNKNOWN: HANDSHAKE_TIMEOUT,
    ConnectionState.WAITING: WAIT_TIME,
    ConnectionState.DRAINING: DRAIN_TIME,
    ConnectionState.CLOSING: RECONCILE_TIME,
    ConnectionState.GONE: math.inf,
}


class PeerLink:
    """What is known of one link, or of an attempt at one.

    Args:
        address: the peer's address.
        max_packet: bytes of the largest packet that is put together.
        now: the time in seconds.
        dropped: where to count what is dropped while the link belongs to no peer.

    Attributes:
        role: the role this node plays.
        mtu: the ATT MTU in bytes.
        identity: what the peer says it is; None until it has.
        state: see `ConnectionState`.
        since: when that state began.
        born: when the link came up.
        heard, sent: when something last came from the peer, and went to it.
        probes: the peer has sent a PING, so it may be sent one.
        answers: the peer has answered a PING, so its silence means that it is dead.
        held: packets that arrived while the link waits.
        dropped: frames and packets that were dropped on the way in, by reason.
    """

    __slots__ = (
        "_held_bytes",
        "_nonce",
        "_pinged",
        "_state",
        "_unanswered",
        "address",
        "answers",
        "born",
        "dropped",
        "heard",
        "held",
        "identity",
        "mtu",
        "probes",
        "reassembler",
        "role",
        "sent",
        "since",
    )

    def __init__(self, address: str, max_packet: int, now: float, dropped: Counter[str]) -> None:
        self.address = address
        self.role = Role.CENTRAL
        self.mtu = DEFAULT_MTU
        self.identity: bytes | None = None
        self._state = ConnectionState.DIALLING
        self.since = self.born = self.heard = self.sent = now
        self.probes = self.answers = False
        self.reassembler = Reassembler(max_packet)
        self.count_drops_in(dropped)
        self.held: list[bytes] = []  # nearly always empty: an empty deque takes 700 bytes
        self._held_bytes = 0
        self._nonce = 0
        self._pinged: float | None = None
        self._unanswered: float | None = None  # when the first PING was sent that nothing was heard after

    def __str__(self) -> str:
        return f"{self.address} as {self.role.value}"

    @property
    def state(self) -> ConnectionState:
        return self._state

    def move(self, state: ConnectionState, now: float) -> None:
        """Enter another state."""
        check_transition(self._state, state, self.address)
        self._state, self.since = state, now

    def came_up(self, role: Role, mtu: int, now: float) -> None:
        """The driver has reported the link."""
        self.move(ConnectionState.UNKNOWN, now)
        self.role = role
        self.set_mtu(mtu)
        self.born = self.heard = self.sent = now

    def set_mtu(self, mtu: int) -> None:
        """Take an MTU as a driver says it, within what ATT and we can use."""
        self.mtu = clamp_mtu(mtu)

    def count_drops_in(self, dropped: Counter[str]) -> None:
        """Count what is dropped here from now on."""
        self.dropped = self.reassembler.dropped = dropped

    # --- signs of life ------------------------------------------------------------------------------------------------

    def is_live(self, now: float) -> bool:
        """Whether the link passes the liveness check (PROTOCOL.md, Who dials)."""
        if self._unanswered is not None and now - self._unanswered >= PROBE_TIMEOUT:
            return False
        return now - self.heard < SILENCE_LIMIT

    def is_dead(self, now: float) -> bool:
        """Whether a peer that used to answer says nothing any more (PROTOCOL.md, Link set-up)."""
        return self.answers and now - self.heard >= SILENCE_LIMIT

    def ping(self, now: float) -> bytes:
        """Return a PING to send."""
        self._nonce = (self._nonce + 1) & 0xFF
        self._pinged = self.sent = now
        if self._unanswered is None:
            self._unanswered = now
        return bytes((PING, self._nonce))

    def sign_of_life(self, now: float) -> bytes | None:
        """Return what is to be sent now so that each end knows of the other, if anything."""
        if self.probes and now >= self._ping_due():
            return self.ping(now)
        if now - self.sent >= KEEPALIVE_INTERVAL:
            self.sent = now
            return KEEPALIVE
        return None

    def _ping_due(self) -> float:
        if self._pinged is None:
            return self.heard  # at once, to learn whether it answers
        return max(self.heard, self._pinged) + KEEPALIVE_INTERVAL

    def deadline(self, now: float) -> float:
        """Return the time at which this link is to be looked at again."""
        if self._state is not ConnectionState.ACTIVE:
            return self.since + _TIME_IN[self._state]
        at = min(self.sent + KEEPALIVE_INTERVAL, self.reassembler.deadline)
        if self.probes:
            at = min(at, self._ping_due())
        # From these on it is not live; once they have passed, nothing more comes of being woken by them.
        if self._unanswered is not None and now < self._unanswered + PROBE_TIMEOUT:
            at = min(at, self._unanswered + PROBE_TIMEOUT)
        silent = self.heard + SILENCE_LIMIT
        return min(at, silent) if now < silent else at

    # --- frames -------------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now: float) -> tuple[bytes | None, bytes | None]:
        """Take one frame, of any kind and however broken; return the packet it completes, and what to answer."""
        self.heard = now
        self._unanswered = None
        if len(frame) > HEADER_SIZE:
            if frame == self.identity and not is_fragment(frame):
                self.dropped["repeated_handshake"] += 1
                return None, None
            return self.reassembler.receive(frame, now), None
        if len(frame) == PROBE_SIZE and frame[0] == PING:
            self.probes = True
            return None, bytes((PONG, frame[1]))
        if len(frame) == PROBE_SIZE and frame[0] == PONG and self._pinged is not None and frame[1] == self._nonce:
            self.answers = True
        elif frame != KEEPALIVE:
            self.dropped["malformed"] += 1
        return None, None

    def hold(self, packet: bytes) -> None:
        """Keep a packet of a link that waits; the oldest go when there are too many."""
        self.held.append(packet)
        self._held_bytes += len(packet) + HELD_OVERHEAD
        while self._held_bytes > HELD_SIZE and self.held:
            self._held_bytes -= len(self.held.pop(0)) + HELD_OVERHEAD
            self.dropped["held_too_many"] += 1

    def release(self) -> list[bytes]:
        """Return the packets that were held back."""
        packets, self.held = self.held, []
        self._held_bytes = 0
        return packets
