"""Chunks to a peer, and no faster than it takes them.

The way out of a peer is bounded, and what does not fit pushes out the oldest. So whoever wants all of it to arrive
paces itself: here the receiver acknowledges every few packets, and the sender is never more than a window ahead of
that. Both ends are handed packets without their first byte, which says what they are, and know no clock.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

from ..programs.fields import Nonsense

#: The first byte of the packets that these two exchange.
DATA, ACKNOWLEDGEMENT = b"D", b"A"
#: Bytes of data in a packet: with what goes before them less than Reticulum's 500, so a usual packet.
CHUNK = 480
#: Packets that may be under way, and how many of them are acknowledged at a time. A window must fit the outbox
#: (64 KiB) with room to spare, and be more than the link holds at once.
WINDOW, ACKNOWLEDGE_EVERY = 48, 8
NUMBER = struct.Struct(">I")


def number_in(body: bytes) -> int:
    """Return the number that is all of a packet. Raises Nonsense."""
    if len(body) != NUMBER.size:
        raise Nonsense
    return int(NUMBER.unpack(body)[0])


def packets_for(size: int) -> int:
    """Return how many packets so many bytes take."""
    return -(-size // CHUNK)


class Outgoing:
    """What goes to one peer.

    Args:
        size: bytes of all of it.
        chunk: returns the chunk of that number.
        send: takes a packet.

    Attributes:
        sent, acknowledged: packets.
    """

    def __init__(self, size: int, chunk: Callable[[int], bytes], send: Callable[[bytes], object]) -> None:
        self.packets = packets_for(size)
        self.sent = self.acknowledged = 0
        self._chunk = chunk
        self._send = send

    @property
    def is_sent(self) -> bool:
        """Whether everything was handed over."""
        return self.sent == self.packets

    def begin_at(self, number: int) -> None:
        """The receiver has everything before this packet already. Raises Nonsense."""
        if number > self.packets:
            raise Nonsense
        self.sent = self.acknowledged = number

    def pump(self) -> None:
        """Send what the window allows."""
        while self.sent < min(self.packets, self.acknowledged + WINDOW):
            self._send(DATA + NUMBER.pack(self.sent) + self._chunk(self.sent))
            self.sent += 1

    def take_acknowledgement(self, body: bytes) -> bool:
        """Go on; return whether anything new was acknowledged. Raises Nonsense."""
        taken = number_in(body)
        if not self.acknowledged < taken <= self.sent:
            return False
        self.acknowledged = taken
        self.pump()
        return True


class Incoming:
    """What comes from one peer.

    Args:
        size: bytes of all of it.
        send: takes a packet.
        keep: takes each chunk.

    Attributes:
        taken: the number after that of the latest packet.
        received: packets that came.
        received_bytes: bytes that came; no more than `size` are kept.
    """

    def __init__(
        self, size: int, send: Callable[[bytes], object], keep: Callable[[bytes], object] = lambda chunk: None
    ) -> None:
        self.size = size
        self.packets = packets_for(size)
        self.taken = self.received = self.received_bytes = 0
        self._send = send
        self._keep = keep
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what came."""
        return self._hash.digest()

    @property
    def lost(self) -> int:
        """Packets before the latest that did not come."""
        return max(0, self.taken - self.received)

    def continue_over(self, send: Callable[[bytes], object]) -> None:
        """The peer has another link: say to it what is here already."""
        self._send = send
        self.acknowledge()

    def acknowledge(self) -> None:
        """Tell the sender how far this is."""
        self._send(ACKNOWLEDGEMENT + NUMBER.pack(self.taken))

    def take_data(self, body: bytes) -> None:
        """Take a chunk. One that was lost or repeated makes the hash differ. Raises Nonsense."""
        number = number_in(body[: NUMBER.size])
        chunk = body[NUMBER.size :]
        if number >= self.packets or self.received_bytes + len(chunk) > self.size:
            raise Nonsense
        self._hash.update(chunk)
        self._keep(chunk)
        self.taken = number + 1
        self.received += 1
        self.received_bytes += len(chunk)
        if self.taken % ACKNOWLEDGE_EVERY == 0 or self.taken == self.packets:
            self.acknowledge()
