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
from collections.abc import Iterator
from functools import lru_cache

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
#: The header of a packet in one frame.
_WHOLE = _HEADER.pack(START, 0, 1)
#: Bytes of payload that would make a frame of the length of a handshake.
_TRAP = HANDSHAKE_SIZE - HEADER_SIZE
#: Packets of more frames than this are planned anew each time, so that what is kept stays small.
_MAX_KEPT = 1024
#: How many headers a receiver lays out at a time, and how many parts of a packet it keeps apart: enough to make the
#: work for each frame small, and few enough that a peer costs not much more memory than it has sent bytes.
_STRETCH = 16


class Fragmenter:
    """Cuts packets into frames for one link.

    Args:
        frame_size: the longest frame the link takes, in bytes; see `ble_driver.frame_size`.

    Raises:
        FrameSizeError: `frame_size` is not a whole number from 20 to 512.
    """

    __slots__ = ("_step", "frame_size")

    def __init__(self, frame_size: int) -> None:
        if not isinstance(frame_size, int) or not MIN_FRAME <= frame_size <= MAX_FRAME_ACCEPTED:
            raise FrameSizeError(
                f"a frame size is a whole number of bytes from {MIN_FRAME} to {MAX_FRAME_ACCEPTED}, not {frame_size!r}"
            )
        self.frame_size = frame_size
        self._step = frame_size - HEADER_SIZE

    def fragment(self, packet: bytes) -> list[bytes]:
        """Return the frames of `packet`, none longer than the frame size and none of 16 bytes.

        Raises:
            InvalidPacketError: the packet is empty, no bytes, or needs more than 65,535 frames.
        """
        step = self._step
        if type(packet) is not bytes or not 0 < len(packet) <= step * MAX_TOTAL:
            packet = check_packet(packet, step * MAX_TOTAL)
        size = len(packet)
        if size % step == _TRAP:
            return self._around_the_trap(packet)
        if size <= step:
            return [_WHOLE + packet]
        total = -(-size // step)
        plan = _plan(step, total) if total <= _MAX_KEPT else _plan.__wrapped__(step, total)
        return [header + packet[cut] for header, cut in plan]

    def _around_the_trap(self, packet: bytes) -> list[bytes]:
        """Cut a packet whose last frame would have 16 bytes: it gets a byte of the frame before, or of its own more."""
        others = max(1, len(packet) // self._step)
        cut = len(packet) - _TRAP - 1 if len(packet) > _TRAP else _TRAP // 2
        pieces = [packet[n * self._step : min((n + 1) * self._step, cut)] for n in range(others)] + [packet[cut:]]
        return [_header(n, len(pieces)) + piece for n, piece in enumerate(pieces)]


class Reassembler:
    """Puts the frames of one link together again. At most one packet is open at a time.

    What a good sender sends takes the short way through `receive`: the header is the one that comes next, and nothing
    else has to be looked at. All else goes through `_receive_other`.

    Args:
        max_packet: bytes of the largest packet that is put together.
        timeout: seconds after which an unfinished packet is given up.

    Attributes:
        dropped: how many frames or unfinished packets were dropped, by reason.
        deadline: the time after which the open packet is given up; infinite if none is open.
    """

    __slots__ = ("_ahead", "_last", "_max_packet", "_next", "_parts", "_share", "_timeout", "deadline", "dropped")

    def __init__(self, max_packet: int = MAX_PACKET, timeout: float = PARTIAL_TIMEOUT) -> None:
        self._max_packet = max_packet
        self._timeout = timeout
        self._last = b""  # the frame that completed a packet
        self.dropped: Counter[str] = Counter()
        self._close()

    def _close(self) -> None:
        self._parts: list[bytes] = []
        self._next = _WHOLE  # the header that the short way is for, and an iterator over some that follow it
        self._ahead: Iterator[bytes] = iter(())
        # A frame of so many bytes of payload is within bounds, whatever came before it.
        self._share = min(MAX_FRAME_ACCEPTED - HEADER_SIZE, self._max_packet)
        self.deadline = math.inf

    @property
    def size(self) -> int:
        """Bytes of the packet that has begun and not ended; 0 if there is none."""
        return sum(map(len, self._parts))

    @property
    def is_open(self) -> bool:
        """Whether a packet has begun and not ended."""
        return bool(self._parts)

    def receive(self, frame: bytes, now: float) -> bytes | None:
        """Take one frame; return the packet that it completes, or None.

        Never raises on what a peer can send: whatever is wrong is counted in `dropped` under one of ``malformed``,
        ``out_of_step``, ``repeated``, ``too_long``, ``unfinished`` and ``timed_out``.

        Args:
            frame: what arrived.
            now: the time in seconds, of any clock that only goes forward.
        """
        payload = frame.removeprefix(self._next)
        if payload is frame or not payload or len(payload) > self._share or now > self.deadline:
            return self._receive_other(frame, now)
        for following in self._ahead:
            self._next = following
            self._parts.append(payload)
            return None
        return self._add(frame, payload)

    def _add(self, frame: bytes, payload: bytes) -> bytes | None:
        """Take the frame that comes next; `receive` does most of this by itself."""
        parts = self._parts
        for following in self._ahead:
            self._next = following
            parts.append(payload)
            return None
        if not parts:
            return payload
        if frame[0] == CONTINUE:
            self._parts = [b"".join(parts), payload]  # many small parts would take many times their bytes
            self._lay_out(*_place(frame))
            return None
        parts.append(payload)
        packet = b"".join(parts)
        self._close()
        if len(packet) > self._max_packet:
            self.dropped["too_long"] += 1
            return None
        self._last = frame
        return packet

    def _lay_out(self, sequence: int, total: int) -> None:
        """Expect the frames after the one at `sequence`."""
        self._ahead = iter(_headers(total, sequence + 1))
        self._next = next(self._ahead)

    def _receive_other(self, frame: bytes, now: float) -> bytes | None:
        """Take a frame that begins a packet, or one that is unusual or wrong."""
        self.expire(now)
        if not is_fragment(frame):
            return self._drop("malformed")
        sequence, total = _place(frame)
        payload = frame[HEADER_SIZE:]
        if self._is_repeated(frame):
            return self._drop("repeated")  # by a sender that was not sure; the open packet goes on
        if sequence == 0:
            self._give_up("unfinished")
            size = len(payload)
        elif frame[:HEADER_SIZE] != self._next or not self._parts:
            self._give_up("unfinished")
            return self._drop("out_of_step")
        else:
            size = self.size + len(payload)
        # Each frame to come carries at least one byte, so a hopeless packet is known by its first frame.
        if size + total - sequence - 1 > self._max_packet:
            self._close()
            return self._drop("too_long")
        if total == 1:
            return payload
        if sequence == 0:
            self._last = b""
            self.deadline = now + self._timeout
            self._share = size if size * (total - 1) <= self._max_packet else 0
            self._parts = [payload]
            self._lay_out(sequence, total)
            return None
        self._share = 0  # this one has more than its share: all that follow have to be looked at
        return self._add(frame, payload)

    def _is_repeated(self, frame: bytes) -> bool:
        """Whether the frame is the last one again; a packet in one frame that comes twice may have been sent twice."""
        if not self._parts:
            return frame == self._last
        sequence, total = _place(self._next)
        return frame == _header(sequence - 1, total) + self._parts[-1]

    def expire(self, now: float) -> None:
        """Give up a packet that has been open for longer than the timeout."""
        if now > self.deadline:
            self._give_up("timed_out")

    def _give_up(self, reason: str) -> None:
        if self._parts:
            self.dropped[reason] += 1
            self._close()

    def _drop(self, reason: str) -> None:
        self.dropped[reason] += 1


def _header(sequence: int, total: int) -> bytes:
    """Return the header that we give a frame."""
    return _HEADER.pack(START if sequence == 0 else END if sequence == total - 1 else CONTINUE, sequence, total)


def _place(frame: bytes) -> tuple[int, int]:
    """Return sequence and total of a frame."""
    _, sequence, total = _HEADER.unpack_from(frame)
    return sequence, total


@lru_cache(maxsize=256)
def _headers(total: int, first: int) -> tuple[bytes, ...]:
    """Return a stretch of the headers of a packet, from that of the frame `first` on."""
    return tuple(_header(sequence, total) for sequence in range(first, min(first + _STRETCH, total)))


@lru_cache(maxsize=32)
def _plan(step: int, total: int) -> tuple[tuple[bytes, slice], ...]:
    """Return how a packet of `total` frames is cut: for each frame its header and its part of the packet."""
    return tuple((_header(n, total), slice(n * step, (n + 1) * step)) for n in range(total))


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
