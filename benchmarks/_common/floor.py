"""The least that a codec of this wire in Python can do for any packet: cached headers, slices, one join.

All headers are made beforehand and looked up. Of a frame it looks at nothing but whether its header is the one that
comes next, without which no receiver knows where a packet begins and ends. No length, no bound, no time, no repeat, no
other dialect, no frame out of step: it is right only as long as everything else is.
"""

from __future__ import annotations

from collections.abc import Iterator

from ble_interface.fragmentation import CONTINUE, END, HEADER_SIZE, START


class Floor:
    """Cuts packets and puts them together.

    Args:
        frame_size: bytes of the longest frame.
        packet_sizes: bytes of the packets that will come.
    """

    __slots__ = ("_ahead", "_following", "_next", "_parts", "_plans")

    def __init__(self, frame_size: int, packet_sizes: tuple[int, ...]) -> None:
        self._plans: dict[int, list[tuple[bytes, slice]]] = {}
        self._following: dict[bytes, list[bytes]] = {}
        for size in packet_sizes:
            starts = range(0, size, frame_size - HEADER_SIZE)
            headers = [_header(n, len(starts)) for n in range(len(starts))]
            cuts = [slice(start, start + starts.step) for start in starts]
            self._plans[size] = list(zip(headers, cuts, strict=True))
            self._following[headers[0]] = headers[1:]
        self._next = _header(0, 1)
        self._ahead: Iterator[bytes] = iter(())
        self._parts: list[bytes] = []

    def fragment(self, packet: bytes) -> list[bytes]:
        """Return the frames of a packet."""
        return [header + packet[cut] for header, cut in self._plans[len(packet)]]

    def receive(self, frame: bytes, now: float) -> bytes | None:
        """Take a frame; return the packet that it ends, or None."""
        payload = frame.removeprefix(self._next)
        if payload is frame:
            self._ahead = iter(self._following[frame[:HEADER_SIZE]])
            self._next = next(self._ahead)
            self._parts = [frame[HEADER_SIZE:]]
            return None
        for following in self._ahead:
            self._next = following
            self._parts.append(payload)
            return None
        parts = self._parts
        if not parts:
            return payload
        parts.append(payload)
        self._parts = []
        self._next = _WHOLE
        return b"".join(parts)


def _header(sequence: int, total: int) -> bytes:
    kind = START if sequence == 0 else END if sequence == total - 1 else CONTINUE
    return bytes([kind]) + sequence.to_bytes(2, "big") + total.to_bytes(2, "big")


_WHOLE = _header(0, 1)
