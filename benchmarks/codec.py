"""The codec against its floor: packets to frames and back, in time, in instructions, and in memory."""

from __future__ import annotations

import random
import sys
import tracemalloc
from collections.abc import Callable, Iterator

from ble_interface import Fragmenter, Reassembler

from ._common import Counted, Figure, Row, count_instructions, in_turns, instructions, timing
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
    yield from _memory()


def _packet(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def _sides(packet_size: int, frame_size: int) -> dict[str, Callable[[], object]]:
    """Return what carries one packet from end to end, ours and the floor."""
    packet = _packet(packet_size)
    fragment, receive = Fragmenter(frame_size).fragment, Reassembler().receive
    floor = Floor(frame_size, packet_size)
    floor_fragment, floor_receive = floor.fragment, floor.receive

    def ours() -> bytes | None:
        for frame in fragment(packet):
            got = receive(frame, 0.0)
        return got

    def least() -> bytes | None:
        for frame in floor_fragment(packet):
            got = floor_receive(frame)
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
    megabytes = rate.median * packet_size / 1e6
    against = "× the time of the floor"
    yield Row(
        "codec", f"{what}: {megabytes:.1f} MB/s", rate, "packets/s", timing.ratio(seconds, "ours", "floor"), against, LIMIT
    )
    if counts is not None:
        ours, floor = counts[f"{what}: ours"], counts[f"{what}: floor"]
        yield Row("codec", what, Figure(ours, 0.0), "instructions", ours / floor, "× those of the floor", LIMIT)


def _memory() -> Iterator[Row]:
    for packet_size in PACKET_SIZES:
        for frame_size in FRAME_SIZES:
            over = [_held(packet_size, frame_size, left) for left in range(1, 40)]
            worst = max(over)
            what = f"a peer that stalls in {packet_size} B in frames of {frame_size}, at its worst moment"
            yield Row("codec", what, Figure(worst, 0.0), "B", worst, "bytes beside its payload", MEMORY_LIMIT)


def _held(packet_size: int, frame_size: int, left: int) -> int:
    """Return the bytes that a reassembler holds, beside what it was sent, when this many frames are still to come."""
    frames = Fragmenter(frame_size).fragment(_packet(packet_size))
    for _ in range(2):  # caches are not the peer's
        reassembler = Reassembler()
        for frame in frames:
            reassembler.receive(frame, 0.0)
    sent = [len(frame) for frame in frames][: max(0, len(frames) - left)]
    del frames
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for n, size in enumerate(sent):
            # Frames of its own, as from a radio: nobody else holds them.
            reassembler.receive(b"%c" % (2 if n else 1) + n.to_bytes(2, "big") + len_total(packet_size, frame_size) + bytes(size - 5), 0.0)
        return tracemalloc.get_traced_memory()[0] - before - sum(size - 5 for size in sent)
    finally:
        tracemalloc.stop()


def len_total(packet_size: int, frame_size: int) -> bytes:
    return len(Fragmenter(frame_size).fragment(bytes(packet_size))).to_bytes(2, "big")


def main() -> None:
    """What runs under callgrind."""
    quick = "--quick" in sys.argv
    operations = [
        Counted(f"{packet_size} B in frames of {frame_size}: {name}", side, max(2, (200 if quick else 10_000) * frame_size // packet_size // 20))
        for packet_size in PACKET_SIZES
        for frame_size in FRAME_SIZES
        for name, side in _sides(packet_size, frame_size).items()
    ]
    instructions.run_between_marks(operations)


if __name__ == "__main__":
    main()
