"""The least that any codec of this wire in Python could do: cached headers, slices, one join.

It trusts all that it is given: no sequence, no total, no length, no time is looked at. It reads of a header only what it
must to know where a packet ends.
"""

from __future__ import annotations

from ble_interface.fragmentation import CONTINUE, END, HEADER_SIZE, START


class Floor:
    """Cuts packets of one known size and puts them together.

    Args:
        frame_size, packet_size: in bytes.
    """

    __slots__ = ("_parts", "_plan")

    def __init__(self, frame_size: int, packet_size: int) -> None:
        step = frame_size - HEADER_SIZE
        starts = range(0, packet_size, step)
        total = len(starts).to_bytes(2, "big")
        self._plan = [
            (bytes([self._kind(n, len(starts))]) + n.to_bytes(2, "big") + total, slice(start, start + step))
            for n, start in enumerate(starts)
        ]
        self._parts: list[bytes] = []

    @staticmethod
    def _kind(sequence: int, total: int) -> int:
        return START if sequence == 0 else END if sequence == total - 1 else CONTINUE

    def fragment(self, packet: bytes) -> list[bytes]:
        """Return the frames of a packet of the known size."""
        return [header + packet[cut] for header, cut in self._plan]

    def receive(self, frame: bytes) -> bytes | None:
        """Take a frame; return the packet that it ends, or None."""
        kind = frame[0]
        self._parts.append(frame[HEADER_SIZE:])
        if kind == CONTINUE or (kind == START and frame[3:HEADER_SIZE] != b"\0\1"):
            return None
        packet = b"".join(self._parts)
        self._parts.clear()
        return packet
