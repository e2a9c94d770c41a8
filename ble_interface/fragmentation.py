"""Packets to frames and back (PROTOCOL.md, Frames).

A frame is five bytes of header and a payload: type, sequence (u16, from 0), total (u16). There is no packet id, no
checksum and no acknowledgement: a link that loses nothing and keeps order is what makes this work. What can be seen to
be wrong is dropped and counted. What the wire itself cannot show, no receiver can see: a payload cut short by a sender
that ignores the MTU, or a run of exactly as many lost frames as the packets have, both of the same total.
"""

from __future__ import annotations

import math
import struct
from collections import Counter

from ble_driver import DataTypeError, as_bytes

from .errors import FrameSizeError, InvalidPacketError

START, CONTINUE, END = 0x01, 0x02, 0x03
#: A packet in one frame, as one deployed implementation marks it; others use START or END (PROTOCOL.md, Frames).
LONE = 0x00
_HEADER = struct.Struct(">BHH")
#: Bytes of header before the payload of each frame.
HEADER_SIZE = _HEADER.size
#: The smallest frame any link carries, in bytes: the default ATT MTU of 23 less 3.
MIN_FRAME = 20
#: The largest value a characteristic can have, in bytes (Core Spec 5.4, Vol 3, Part F, 3.2.9).
MAX_FRAME_ACCEPTED = 512
#: Frames of this length are taken for a handshake by deployed receivers, so none is ever sent (PROTOCOL.md).
HANDSHAKE_SIZE = 16
#: The largest number of frames that the header can count.
MAX_TOTAL = 0xFFFF
#: Seconds after which an unfinished packet is given up (PROTOCOL.md, Frames).
PARTIAL_TIMEOUT = 30.0
#: Bytes of the largest packet a receiver puts together unless told otherwise.
MAX_PACKET = 8192


class Fragmenter:
    """Cuts packets into frames for one link.

    Args:
        frame_size: the longest frame the link takes, in bytes; see `ble_driver.frame_size`.

    Raises:
        FrameSizeError: `frame_size` is not a whole number from 20 to 512.
    """

    __slots__ = ("frame_size",)

    def __init__(self, frame_size: int) -> None:
        if not isinstance(frame_size, int) or not MIN_FRAME <= frame_size <= MAX_FRAME_ACCEPTED:
            raise FrameSizeError(
                f"a frame size is a whole number of bytes from {MIN_FRAME} to {MAX_FRAME_ACCEPTED}, not {frame_size!r}"
            )
        self.frame_size = frame_size

    def fragment(self, packet: bytes) -> list[bytes]:
        """Return the frames of `packet`, none longer than the frame size and none of 16 bytes.

        Raises:
            InvalidPacketError: the packet is empty, no bytes, or needs more than 65,535 frames.
        """
        packet = check_packet(packet, (self.frame_size - HEADER_SIZE) * MAX_TOTAL)
        step = self.frame_size - HEADER_SIZE
        cuts = list(range(0, len(packet), step))
        last = len(packet) - cuts[-1]
        if last == HANDSHAKE_SIZE - HEADER_SIZE:
            if len(cuts) == 1:
                cuts.append(last // 2)  # a packet of 11 bytes goes in two frames
            else:
                cuts[-1] -= 1  # the frame before the last gives it one byte
        total = len(cuts)
        cuts.append(len(packet))
        kinds = [START] + [CONTINUE] * (total - 2) + [END] * (total > 1)
        return [
            _HEADER.pack(kind, sequence, total) + packet[cuts[sequence] : cuts[sequence + 1]]
            for sequence, kind in enumerate(kinds)
        ]


class Reassembler:
    """Puts the frames of one link together again. At most one packet is open at a time.

    Args:
        max_packet: bytes of the largest packet that is put together.
        timeout: seconds after which an unfinished packet is given up.

    Attributes:
        dropped: how many frames or unfinished packets were dropped, by reason.
    """

    __slots__ = ("_last", "_max_packet", "_opened", "_parts", "_size", "_timeout", "_total", "dropped")

    def __init__(self, max_packet: int = MAX_PACKET, timeout: float = PARTIAL_TIMEOUT) -> None:
        self._max_packet = max_packet
        self._timeout = timeout
        self._parts: list[bytes] = []
        self._size = 0
        self._total = 0
        self._opened = 0.0
        self._last = b""
        self.dropped: Counter[str] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether a packet has begun and not ended."""
        return bool(self._parts)

    @property
    def deadline(self) -> float:
        """The time after which the open packet is given up; infinite if none is open."""
        return self._opened + self._timeout if self._parts else math.inf

    def receive(self, frame: bytes, now: float) -> bytes | None:
        """Take one frame; return the packet that it completes, or None.

        Never raises on what a peer can send: whatever is wrong is counted in `dropped` under one of ``malformed``,
        ``out_of_step``, ``repeated``, ``too_long``, ``unfinished`` and ``timed_out``.

        Args:
            frame: what arrived.
            now: the time in seconds, of any clock that only goes forward.
        """
        self.expire(now)
        reason = self._check(frame)
        if reason is not None:
            self.dropped[reason] += 1
            return None
        _, sequence, total = _HEADER.unpack_from(frame)
        if sequence == 0:
            self._opened, self._total = now, total
        self._last = frame
        self._size += len(frame) - HEADER_SIZE
        self._parts.append(frame[HEADER_SIZE:])
        if sequence + 1 < total:
            return None
        packet = b"".join(self._parts)
        self._close()
        return packet

    def _check(self, frame: bytes) -> str | None:
        """Return why a frame must be dropped, or None. Gives up the open packet if the frame does not continue it."""
        if not is_fragment(frame):
            return "malformed"
        _, sequence, total = _HEADER.unpack_from(frame)
        if frame == self._last and (self._parts or sequence):
            return "repeated"  # by a sender that was not sure; the open packet goes on
        if sequence == 0:
            self._give_up("unfinished")
        elif sequence != len(self._parts) or total != self._total:
            self._give_up("unfinished")
            return "out_of_step"
        # Each frame to come carries at least one byte, so a hopeless packet is known by its first frame.
        if self._size + len(frame) - HEADER_SIZE + total - sequence - 1 > self._max_packet:
            self._close()
            return "too_long"
        return None

    def expire(self, now: float) -> None:
        """Give up a packet that has been open for longer than the timeout."""
        if self._parts and now - self._opened > self._timeout:
            self._give_up("timed_out")

    def _give_up(self, reason: str) -> None:
        if self._parts:
            self.dropped[reason] += 1
            self._close()

    def _close(self) -> None:
        self._parts = []
        self._size = self._total = 0


def is_fragment(frame: bytes) -> bool:
    """Whether the length is possible, and type, sequence and total fit together, in any dialect."""
    if not HEADER_SIZE < len(frame) <= MAX_FRAME_ACCEPTED:
        return False
    header: tuple[int, int, int] = _HEADER.unpack_from(frame)
    kind, sequence, total = header
    if total == 1:
        return sequence == 0 and kind in (START, END, LONE)
    if sequence == 0:
        return kind == START and total > 1
    return kind == (END if sequence == total - 1 else CONTINUE) and sequence < total


def check_packet(packet: object, limit: int) -> bytes:
    """Return a packet as bytes if it has from 1 to `limit` of them.

    Raises:
        InvalidPacketError: it has not, or is no bytes.
    """
    try:
        data = as_bytes(packet, "a packet")
    except DataTypeError as error:
        raise InvalidPacketError(str(error)) from None
    if not 0 < len(data) <= limit:
        raise InvalidPacketError(f"a packet has from 1 to {limit} bytes, not {len(data)}")
    return data
