"""Which packets are under way, so that none is counted twice and none is believed that was not sent."""

from __future__ import annotations

from collections import Counter


class Mail:
    """All packets of the mesh.

    Attributes:
        counts: how many were sent, delivered, and (which is always wrong) repeated or not what was sent.
        open: whether packets may be sent still.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(sent=0, delivered=0, wrong=0)
        self.open = True
        self._number = 0
        self._under_way: dict[bytes, tuple[bytes, bytes]] = {}

    def write(self, source: bytes, target: bytes, size: int) -> bytes | None:
        """Return a new packet from one identity to another; None if there are to be no more."""
        if not self.open:
            return None
        self._number += 1
        packet = self._number.to_bytes(8, "big") * (size // 8 + 1)
        packet = packet[:size]
        self._under_way[packet] = (source, target)
        self.counts["sent"] += 1
        return packet

    def unsent(self, packet: bytes) -> None:
        """The link was gone before the packet was taken: it does not count."""
        del self._under_way[packet]
        self.counts["sent"] -= 1

    def arrived(self, packet: bytes, source: bytes, target: bytes) -> None:
        """A packet has arrived."""
        right = self._under_way.pop(packet, None) == (source, target)
        self.counts["delivered" if right else "wrong"] += 1

    @property
    def lost(self) -> int:
        """How many were sent and have not arrived."""
        return len(self._under_way)
