"""The frames of packets that were cut a moment ago: a stack sends the same packet to one peer after the other."""

from __future__ import annotations

from .fragmentation import Fragmenter

#: How many packets are remembered. While queues are empty one is enough; a stack may send some to all before that.
REMEMBERED = 16


class RecentFrames:
    """Cuts a packet once for all peers with frames of one size.

    A packet is known again by being the same object, so that no bytes are compared.
    """

    def __init__(self) -> None:
        # With each packet, so that as long as its frames are here no other object can have its id.
        self._recent: dict[tuple[int, int], tuple[bytes, list[bytes]]] = {}

    def of(self, packet: bytes, fragmenter: Fragmenter) -> list[bytes]:
        """Return the frames of a packet; they are shared, and not to be changed."""
        key = (id(packet), fragmenter.frame_size)
        known = self._recent.get(key)
        if known is not None:
            return known[1]
        frames = fragmenter.fragment(packet)
        if len(self._recent) == REMEMBERED:
            del self._recent[next(iter(self._recent))]
        self._recent[key] = packet, frames
        return frames
