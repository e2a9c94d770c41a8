"""The byte stream of a host, cut into HCI packets (Core Spec Vol 4, Part A, section 2).

H4 has no way to find the next packet after a wrong byte, so a wrong byte ends the stream.
"""

from __future__ import annotations

from collections.abc import Iterator

COMMAND = 0x01
ACL_DATA = 0x02
EVENT = 0x04

_COMMAND_HEADER = 4
"""Indicator, opcode (2), length (1): Vol 4, Part E, section 5.4.1."""

_ACL_HEADER = 5
"""Indicator, handle and flags (2), length (2): Vol 4, Part E, section 5.4.2."""


class ProtocolError(Exception):
    """The host sent what no conforming host sends; nothing after it can be trusted."""


class Deframer:
    """Collects the bytes of one host. Holds at most one unfinished packet, so it is bounded by the packet size."""

    def __init__(self, max_acl_length: int) -> None:
        self._max_acl_length = max_acl_length
        self._partial = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each packet that is now complete, its indicator byte included."""
        data = self._partial + data
        self._partial = b""
        start = 0
        while (end := self._end_of_packet(data, start)) is not None:
            yield data[start:end]
            start = end
        self._partial = data[start:]

    def _end_of_packet(self, data: bytes, start: int) -> int | None:
        available = len(data) - start
        if not available:
            return None
        indicator = data[start]
        if indicator == COMMAND:
            if available < _COMMAND_HEADER:
                return None
            size = _COMMAND_HEADER + data[start + 3]
        elif indicator == ACL_DATA:
            if available < _ACL_HEADER:
                return None
            length = data[start + 3] | data[start + 4] << 8
            if length > self._max_acl_length:
                raise ProtocolError(f"ACL packet of {length} bytes, the limit is {self._max_acl_length}")
            size = _ACL_HEADER + length
        else:
            raise ProtocolError(f"packet indicator 0x{indicator:02x} is not one that an LE host sends")
        return start + size if available >= size else None
