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
#: For each frame of a packet its header and what part of the packet it carries.
Plan = tuple[tuple[bytes, slice], ...]
#: Packets of more frames than this are planned anew each time, so that what is kept stays small.
_MAX_KEPT = 1024
#: How many plans are kept for one size of frames. A stack sends few different sizes of packets most of the time.
_MAX_PLANS = 32
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

    __slots__ = ("_plans", "frame_size")

    def __init__(self, frame_size: int) -> None:
        if not isinstance(frame_size, int) or not MIN_FRAME <= frame_size <= MAX_FRAME_ACCEPTED:
            raise FrameSizeError(
                f"a frame size is a whole number of bytes from {MIN_FRAME} to {MAX_FRAME_ACCEPTED}, not {frame_size!r}"
            )
        self.frame_size = frame_size
        self._plans = _plans(frame_size - HEADER_SIZE)

    def fragment(self, packet: bytes) -> list[bytes]:
        """Return the frames of `packet`, none longer than the frame size and none of 16 bytes.

        Raises:
            InvalidPacketError: the packet is empty, no bytes, or needs more than 65,535 frames.
        """
        try:
            return [header + packet[cut] for header, cut in self._plans[len(packet)]]
        except TypeError:
            raise InvalidPacketError(f"a packet must be bytes, not {type(packet).__name__}") from None


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

    __slots__ = (
        "_ahead",
        "_careful",
        "_last",
        "_max_packet",
        "_max_payload",
        "_next",
        "_parts",
        "_share",
        "_timeout",
        "deadline",
        "dropped",
    )

    def __init__(self, max_packet: int = MAX_PACKET, timeout: float = PARTIAL_TIMEOUT) -> None:
        self._max_packet = max_packet
        self._max_payload = min(max_packet, MAX_FRAME_ACCEPTED - HEADER_SIZE)
        self._timeout = timeout
        self.dropped: Counter[str] = Counter()
        self._last = b""  # the frame that completed a packet
        self._parts: list[bytes] = []
        self._close()

    def _close(self) -> None:
        """No packet is open: what comes next is a whole one, or begins one."""
        self._parts = []
        self._next = _WHOLE  # the header of the frame that comes next, and those after it as far as they are laid out
        self._ahead: Iterator[bytes] = iter(())
        self._share = self._max_payload  # a frame of at most so many bytes of payload is surely within bounds
        self._careful = False  # whether a look is due when nothing more is laid out
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
        if payload is frame or not payload or len(payload) > self._share:
            return self._receive_other(frame, now)
        for following in self._ahead:
            self._next = following
            self._parts.append(payload)
            return None
        parts = self._parts
        if not parts:
            return payload
        # Only here is the time looked at: an open packet that nothing ends is given up by `expire`.
        if now > self.deadline:
            return self._receive_other(frame, now)
        if self._careful and self._goes_on(frame, payload):
            return None
        parts.append(payload)
        self._parts = []
        self._next = _WHOLE
        self._share = self._max_payload
        self._last = frame
        self.deadline = math.inf
        return b"".join(parts)

    def _receive_other(self, frame: bytes, now: float) -> bytes | None:
        """Take a frame that begins a packet, or one that is unusual or wrong."""
        if now > self.deadline:
            self._give_up("timed_out")
        opening = _opening(frame[:HEADER_SIZE], len(frame) - HEADER_SIZE, self._max_packet)
        if self._parts or opening is None:
            reason = self._check(frame)
            if reason is not None:
                self.dropped[reason] += 1
                return None
            if opening is None:
                return self._receive_odd(frame, now)
        following, self._share, self._careful = opening
        self._ahead = iter(following)
        self._next = next(self._ahead)
        self._parts = [frame[HEADER_SIZE:]]
        self._last = b""
        self.deadline = now + self._timeout
        return None

    def _check(self, frame: bytes) -> str | None:
        """Return why a frame must be dropped, or None. Gives up the open packet if the frame does not continue it."""
        if not is_fragment(frame):
            return "malformed"
        if self._is_repeated(frame):
            return "repeated"  # by a sender that was not sure; the open packet goes on
        _, sequence, total = _HEADER.unpack_from(frame)
        if sequence == 0:
            self._give_up("unfinished")
        elif not (self._parts and frame.startswith(self._next)):
            self._give_up("unfinished")
            return "out_of_step"
        # Each frame to come carries at least one byte, so a hopeless packet is known by its first frame.
        if self.size + len(frame) - HEADER_SIZE + total - sequence - 1 > self._max_packet:
            self._close()
            return "too_long"
        return None

    def _is_repeated(self, frame: bytes) -> bool:
        """Whether the frame is the last one again; a packet in one frame that comes twice may have been sent twice."""
        if not self._parts:
            return frame == self._last
        _, sequence, total = _HEADER.unpack(self._next)
        return bool(frame == _header(sequence - 1, total) + self._parts[-1])

    def _receive_odd(self, frame: bytes, now: float) -> bytes | None:
        """Take a good frame that is a whole packet in another dialect, or longer than those before it."""
        if not self._parts:
            return frame[HEADER_SIZE:]
        self._share, self._careful = self._max_payload, True
        packet = self.receive(frame, now)
        if self._parts:
            self._share = 0  # all that follow have to be looked at
        return packet

    def _goes_on(self, frame: bytes, payload: bytes) -> bool:
        """Take the last frame whose header was laid out, if it is not the last of a packet within bounds."""
        if frame[0] == CONTINUE:
            self._parts = [b"".join(self._parts), payload]  # many small parts would take many times their bytes
            self._ahead = iter(_following(frame[:HEADER_SIZE]))
            self._next = next(self._ahead)
            return True
        if self.size + len(payload) <= self._max_packet:
            return False
        self.dropped["too_long"] += 1
        self._close()
        return True

    def expire(self, now: float) -> None:
        """Give up a packet that has been open for longer than the timeout."""
        if now > self.deadline:
            self._give_up("timed_out")

    def _give_up(self, reason: str) -> None:
        if self._parts:
            self.dropped[reason] += 1
            self._close()


def _header(sequence: int, total: int) -> bytes:
    """Return the header that we give a frame."""
    return _HEADER.pack(START if sequence == 0 else END if sequence == total - 1 else CONTINUE, sequence, total)


@lru_cache(maxsize=256)
def _following(header: bytes) -> tuple[bytes, ...]:
    """Return the headers that follow one of a frame, as many as are laid out at a time."""
    _, sequence, total = _HEADER.unpack(header)
    return tuple(_header(n, total) for n in range(sequence + 1, min(sequence + 1 + _STRETCH, total)))


@lru_cache(maxsize=256)
def _opening(header: bytes, size: int, max_packet: int) -> tuple[tuple[bytes, ...], int, bool] | None:
    """Return what to expect after the first of several frames, which carries `size` bytes; None if it is none.

    Returns:
        the headers that come next; the bytes that each frame may carry without a look at the sum; whether to be careful
        when no more headers are laid out.
    """
    if not 0 < size <= MAX_FRAME_ACCEPTED - HEADER_SIZE:
        return None
    header_fields: tuple[int, int, int] = _HEADER.unpack(header)
    kind, sequence, total = header_fields
    if kind != START or sequence > 0 or not 1 < total <= max_packet - size + 1:
        return None
    following = _following(header)
    share = size if (total - 1) * size <= max_packet else 0
    return following, share, total - 1 > _STRETCH or total * size > max_packet


class _Plans(dict[int, Plan]):
    """How packets of some sizes are cut for one frame size; made when they are needed."""

    def __init__(self, step: int) -> None:
        self._step = step

    def __missing__(self, size: int) -> Plan:
        plan = _make_plan(self._step, size)
        if len(plan) <= _MAX_KEPT:
            if len(self) == _MAX_PLANS:
                self.clear()
            self[size] = plan
        return plan


#: Shared by all links with frames of one size; the argument is their bytes of payload.
_plans = lru_cache(maxsize=64)(_Plans)


def _make_plan(step: int, size: int) -> Plan:
    if not 0 < size <= step * MAX_TOTAL:
        raise InvalidPacketError(f"a packet has from 1 to {step * MAX_TOTAL} bytes, not {size}")
    cuts = list(range(0, size, step))
    last = size - cuts[-1]
    if last == HANDSHAKE_SIZE - HEADER_SIZE:
        if len(cuts) == 1:
            cuts.append(last // 2)  # a packet of 11 bytes goes in two frames
        else:
            cuts[-1] -= 1  # the frame before the last gives it one byte
    ends = [*cuts[1:], size]
    return tuple((_header(n, len(cuts)), slice(*cut)) for n, cut in enumerate(zip(cuts, ends, strict=True)))


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
