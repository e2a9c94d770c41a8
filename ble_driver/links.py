"""One link to one peer, and the bounded queue of frames that wait for it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .att import check_mtu, frame_size
from .types import Role


@dataclass(eq=False)
class Link:
    """A link as a driver keeps it. Drivers subclass it to hang their radio's handle on it.

    Attributes:
        address: the peer's address.
        role: the role this node plays.
        mtu: the ATT MTU in bytes.
        identity: the 16 bytes read from the peer, if this node dialled.
        closing: it is being ended; it takes no more frames.
        unacknowledged: frames since the last write request; None before the first frame, which is one.
    """

    address: str
    role: Role
    mtu: int
    identity: bytes | None = None
    closing: bool = False
    unacknowledged: int | None = None
    queue: SendQueue = field(default_factory=lambda: SendQueue())

    def __post_init__(self) -> None:
        check_mtu(self.mtu)

    @property
    def frame_size(self) -> int:
        """The longest frame this link takes, in bytes."""
        return frame_size(self.mtu)


Packet = tuple[bytes, ...]
"""The frames that were handed in together; nothing may come between them (PROTOCOL.md, Frames)."""


class SendQueue:
    """Packets on their way to one peer, bounded in bytes.

    The bound is a high-water mark: a packet is taken whole while the queue is below it, and refused whole above. So
    none is ever half queued, and the memory is the bound plus one packet.
    Not thread-safe; its owner holds a lock.
    """

    __slots__ = ("_packets", "draining", "queued", "refused")

    def __init__(self) -> None:
        self._packets: deque[Packet] = deque()
        self.queued = 0  # bytes
        self.refused = False  # somebody was turned away and waits for on_send_ready
        self.draining = False  # a sender is at work on it

    def offer(self, packet: Packet, bound: int) -> bool:
        """Take the packet, or refuse it and remember that somebody waits."""
        if self.queued >= bound:
            self.refused = True
            return False
        self._packets.append(packet)
        self.queued += sum(map(len, packet))
        return True

    def take(self) -> Packet | None:
        """Return the next packet, or None if there is none."""
        if not self._packets:
            return None
        packet = self._packets.popleft()
        self.queued -= sum(map(len, packet))
        return packet

    def has_room_again(self, bound: int) -> bool:
        """Whether somebody who was refused should be told now: once, when the queue is half empty."""
        if self.refused and self.queued <= bound // 2:
            self.refused = False
            return True
        return False
