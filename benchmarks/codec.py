"""The codec against its floor: packets to frames and back, in time, in instructions, and in memory."""

from __future__ import annotations

import random
import sys
import tracemalloc
from collections.abc import Callable, Iterator

from ble_interface import Fragmenter, Reassembler

from ._common import Counted, Figure, Row, count_instructions, in_turns, ratio, run_between_marks
from ._common.floor import Floor

PACKET_SIZES, FRAME_SIZES = (100, 500, 8192), (20, 182, 512)
#: How many times the floor's work the codec may do, and bytes that a stalled peer may cost beside what it has sent.
LIMIT, MEMORY_LIMIT = 1.3, 1024
#: Bytes that are carried in one turn, and how many turns there are.
BYTES_PER_TURN, TURNS = 400_000, 31


def rows(quick: bool) -> Iterator[Row]:
    """Measure each size of packet with each size of frame."""
    counts = count_instructions(__name__, *(["--quick"] if quick else []))
    for packet_size in PACKET_SIZES:
        for frame_size in FRAME_SIZES:
            yield from _speed(packet_size, frame_size, counts, quick)
            if not quick:
                yield _memory(packet_size, frame_size)


def _packet(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def _sides(packet_size: int, frame_size: int) -> dict[str, Callable[[], object]]:
    """Return what carries one packet from end to end, ours and the floor."""
    packet = _packet(packet_size)
    fragment, receive = Fragmenter(frame_size).fragment, Reassembler().receive
    floor = Floor(frame_size, PACKET_SIZES)
    floor_fragment, floor_receive = floor.fragment, floor.receive

    def ours() -> bytes | None:
        for frame in fragment(packet):
            got = receive(frame, 0.0)
        return got

    def least() -> bytes | None:
        for frame in floor_fragment(packet):
            got = floor_receive(frame, 0.0)
        return got

    assert ours() == least() == packet
    return {"ours": ours, "floor": least}


def _speed(packet_size: int, frame_size: int, counts: dict[str, float] | None, quick: bool) -> Iterator[Row]:
    what = f"{packet_size} B in frames of {frame_size}"
    repeat = max(1, BYTES_PER_TURN // packet_size // (20 if quick else 1))

    def often(side: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(repeat):
                side()

        return run

    sides = {name: often(side) for name, side in _sides(packet_size, frame_size).items()}
    seconds = in_turns(sides, 3 if quick else TURNS)
    rate = Figure.of(seconds["ours"]).per(repeat)
    carried = f"{what}: {rate.median * packet_size / 1e6:.0f} MB/s"
    yield Row("codec", carried, rate, "packets/s", ratio(seconds, "ours", "floor"), "of the floor's time", LIMIT)
    if counts is not None:
        ours, floor = counts[f"{what}: ours"], counts[f"{what}: floor"]
        yield Row("codec", what, Figure(ours, 0.0), "instructions", ours / floor, "of the floor's instructions", LIMIT)


def _memory(packet_size: int, frame_size: int) -> Row:
    frames = Fragmenter(frame_size).fragment(_packet(packet_size))
    worst = max(_held_by(frames[:sent]) for sent in range(len(frames)))
    what = f"a peer that stalls in {packet_size} B in frames of {frame_size}, at the worst moment"
    return Row("codec", what, Figure(worst, 0.0), "B", worst, "bytes beside its payload", MEMORY_LIMIT)


def _held_by(frames: list[bytes]) -> int:
    """Return the bytes that a reassembler holds after these frames, beside their payload."""
    reassembler = Reassembler()
    tracemalloc.start()
    try:
        for frame in frames:
            reassembler.receive(frame[:1] + frame[1:], 0.0)  # a copy that nobody else holds, as from a radio
        return tracemalloc.get_traced_memory()[0] - reassembler.size
    finally:
        tracemalloc.stop()


def main() -> None:
    """What runs under callgrind."""
    quick = "--quick" in sys.argv
    for packet_size in PACKET_SIZES:
        for frame_size in FRAME_SIZES:
            times = max(2, (10 if quick else 500) * frame_size // packet_size)
            sides = _sides(packet_size, frame_size).items()
            what = f"{packet_size} B in frames of {frame_size}"
            run_between_marks(Counted(f"{what}: {name}", side, times) for name, side in sides)


if __name__ == "__main__":
    main()
