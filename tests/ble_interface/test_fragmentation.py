"""Packets to frames and back, under everything that can happen to frames on the way."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_interface import Fragmenter, FrameSizeError, InvalidPacketError, Reassembler

frame_sizes = st.integers(20, 512)
packets = st.integers(1, 4096).flatmap(lambda size: st.integers(0, 255).map(lambda b: random.Random(b).randbytes(size)))


def reassemble(frames: Iterable[bytes], **options: float) -> list[bytes]:
    """Return the packets that come out, all at one moment."""
    reassembler = Reassembler(**options)  # type: ignore[arg-type]
    return [packet for frame in frames if (packet := reassembler.receive(frame, 0.0)) is not None]


@given(packets, frame_sizes)
def test_a_packet_comes_back_identical(packet: bytes, size: int) -> None:
    frames = Fragmenter(size).fragment(packet)
    assert reassemble(frames) == [packet]
    assert all(6 <= len(frame) <= size and len(frame) != 16 for frame in frames)


def test_every_length_of_the_last_frame_at_every_frame_size() -> None:
    for size in range(20, 513):
        step = size - 5
        fragmenter = Fragmenter(size)
        for length in {1, 10, 11, 12, step - 1, step, step + 1, step + 10, step + 11, step + 12, 2 * step + 11, 4096}:
            packet = bytes(length % 251 for _ in range(length))
            frames = fragmenter.fragment(packet)
            assert reassemble(frames) == [packet]
            assert all(6 <= len(frame) <= size and len(frame) != 16 for frame in frames)


def test_the_headers_are_those_of_the_protocol() -> None:
    frames = Fragmenter(182).fragment(bytes(400))
    assert [frame[:5].hex() for frame in frames] == ["0100000003", "0200010003", "0300020003"]
    assert [len(frame) for frame in frames] == [182, 182, 51]
    assert Fragmenter(20).fragment(b"hello") == [b"\x01\x00\x00\x00\x01hello"]


def test_eleven_bytes_go_in_two_frames_because_sixteen_is_a_handshake() -> None:
    frames = Fragmenter(182).fragment(b"hello world")
    assert [len(frame) for frame in frames] == [10, 11]
    assert reassemble(frames) == [b"hello world"]


@pytest.mark.parametrize("kind", [0x00, 0x01, 0x03])
def test_every_dialect_of_a_packet_in_one_frame_is_understood(kind: int) -> None:
    assert reassemble([bytes([kind, 0, 0, 0, 1]) + b"whole"]) == [b"whole"]


def test_fragments_of_any_size_are_accepted() -> None:
    frames = [b"\x01\x00\x00\x00\x03a", b"\x02\x00\x01\x00\x03" + b"b" * 507, b"\x03\x00\x02\x00\x03" + b"c" * 11]
    assert reassemble(frames) == [b"a" + b"b" * 507 + b"c" * 11]


@given(st.lists(st.integers(1, 507), min_size=2, max_size=60), st.integers(-1, 3), st.data())
def test_a_sender_may_cut_as_it_likes_within_the_bound(sizes: list[int], spare: int, data: st.DataObject) -> None:
    """Frames that grow, shrink and are repeated: the packet comes out if it is within bounds, and never if not."""
    packet = random.Random(sum(sizes)).randbytes(sum(sizes))
    frames, at, total = [], 0, len(sizes)
    for n, size in enumerate(sizes):
        kind = 1 if n == 0 else 3 if n == total - 1 else 2
        frames.append(bytes([kind]) + n.to_bytes(2, "big") + total.to_bytes(2, "big") + packet[at : at + size])
        at += size
    again = data.draw(st.integers(0, total - 1))
    frames.insert(again, frames[again])
    reassembler = Reassembler(max_packet=len(packet) + spare)
    got = []
    for frame in frames:
        whole = reassembler.receive(frame, 0.0)
        assert reassembler.size <= len(packet) + spare
        got += [whole] if whole is not None else []
    assert got == ([packet] if spare >= 0 else [])
    assert not reassembler.is_open
    assert (reassembler.dropped["too_long"] > 0) == (spare < 0)


@pytest.mark.parametrize("size", [20, 23, 182, 512])
def test_a_peer_that_stalls_costs_little_more_than_what_it_has_sent(size: int) -> None:
    *frames, last = Fragmenter(size).fragment(bytes(8192))
    reassemble([*frames, last])  # what is kept for all peers is not this one's
    reassembler, worst = Reassembler(), 0
    tracemalloc.start()
    try:
        for frame in frames:
            reassembler.receive(frame[:1] + frame[1:], 0.0)  # a copy that nobody else holds, as from a radio
            worst = max(worst, tracemalloc.get_traced_memory()[0] - reassembler.size)
    finally:
        tracemalloc.stop()
    assert worst <= 1024


# --- frames that were lost, repeated, mixed, broken -------------------------------------------------------------------

#: Packets whose numbers of frames differ: then the wire can tell all their frames apart.
different = st.permutations(range(1, 9)).map(
    lambda totals: [(n, bytes([n]) * (15 * n - 3)) for n in totals]  # n frames of 20 bytes each, the last one shorter
)


@given(different, st.randoms(use_true_random=False), st.integers(0, 60))
def test_only_whole_packets_that_were_sent_come_out(
    sent: list[tuple[int, bytes]], rng: random.Random, damage: int
) -> None:
    """Frames are lost, repeated, swapped, and mixed between packets: what comes out was sent, and whole."""
    frames = [frame for _, packet in sent for frame in Fragmenter(20).fragment(packet)]
    for _ in range(damage):
        at = rng.randrange(len(frames))
        match rng.randrange(4):
            case 0 if len(frames) > 1:
                del frames[at]
            case 1:
                frames.insert(rng.randrange(len(frames)), frames[at])
            case 2:
                other = rng.randrange(len(frames))
                frames[at], frames[other] = frames[other], frames[at]
            case _:
                frames[at] = frames[at][: rng.randrange(6)]  # cut within the header
    assert set(reassemble(frames)) <= {packet for _, packet in sent}


@given(st.lists(packets, min_size=2, max_size=4), frame_sizes, st.data())
def test_the_loss_of_one_frame_costs_its_packet_only(sent: list[bytes], size: int, data: st.DataObject) -> None:
    fragments = [Fragmenter(size).fragment(packet) for packet in sent]
    victim = data.draw(st.integers(0, len(sent) - 1))
    lost = data.draw(st.integers(0, len(fragments[victim]) - 1))
    del fragments[victim][lost]
    expected = sent[:victim] + sent[victim + 1 :]
    assert reassemble(frame for frames in fragments for frame in frames) == expected


@given(packets, frame_sizes, st.data())
def test_a_repeated_frame_costs_nothing(packet: bytes, size: int, data: st.DataObject) -> None:
    frames = Fragmenter(size).fragment(packet)
    at = data.draw(st.integers(0, len(frames) - 1))
    twice = [*frames[: at + 1], frames[at], *frames[at + 1 :]]
    # A packet in one frame that comes twice may have been sent twice: only the stack above can know.
    assert reassemble(twice) == ([packet, packet] if len(frames) == 1 else [packet])


def test_the_same_packet_may_be_sent_twice() -> None:
    for packet in (b"short", b"long" * 100):
        assert reassemble(2 * Fragmenter(182).fragment(packet)) == [packet, packet]


@given(st.lists(st.binary(max_size=600), max_size=40))
def test_noise_is_counted_and_never_raises(noise: list[bytes]) -> None:
    reassembler = Reassembler()
    for frame in noise:
        packet = reassembler.receive(frame, 0.0)
        assert packet is None or packet == frame[5:]
    # What follows noise is heard.
    assert [p for f in Fragmenter(100).fragment(b"z" * 300) if (p := reassembler.receive(f, 0.0))] == [b"z" * 300]


@given(st.lists(st.tuples(st.sampled_from((0, 1, 2, 3)), st.integers(0, 5), st.integers(0, 5), st.binary(max_size=3))))
def test_whatever_comes_out_was_in_step(frames: list[tuple[int, int, int, bytes]]) -> None:
    """Against a model: a packet is what the frames 0, 1, … total - 1 carried, one directly after the other."""
    reassembler = Reassembler()
    history: list[tuple[int, int, bytes]] = []
    for kind, sequence, total, payload in frames:
        frame = bytes([kind, 0, sequence, 0, total]) + payload
        before = reassembler.dropped.total()
        packet = reassembler.receive(frame, 0.0)
        if reassembler.dropped.total() == before or reassembler.dropped["unfinished"]:
            history.append((sequence, total, payload))
        if packet is not None:
            tail = history[-total:]
            assert [(s, t) for s, t, _ in tail] == [(n, total) for n in range(total)]
            assert packet == b"".join(payload for *_, payload in tail)


def test_reasons_are_counted() -> None:
    reassembler = Reassembler(max_packet=100)
    start, middle, _end = Fragmenter(20).fragment(bytes(40))
    for frame in (
        b"",
        b"\x01",
        b"\x01\x00\x00\x00\x01",
        b"\x01\x00\x00\x00\x00x",
        b"\x07\x00\x00\x00\x02x",
        bytes(513),
    ):
        assert reassembler.receive(frame, 0.0) is None
    assert reassembler.dropped == {"malformed": 6}
    reassembler.receive(middle, 0.0)
    assert reassembler.dropped["out_of_step"] == 1
    reassembler.receive(start, 0.0)
    reassembler.receive(start, 0.0)
    assert reassembler.dropped["repeated"] == 1
    reassembler.receive(b"\x01\x00\x00\x00\x02another", 0.0)
    assert reassembler.dropped["unfinished"] == 1
    reassembler.receive(b"\x01\x00\x00\x00\x01" + bytes(101), 0.0)
    assert reassembler.dropped["too_long"] == 1


def test_a_hopelessly_long_packet_is_known_by_its_first_frame() -> None:
    reassembler = Reassembler(max_packet=1000)
    assert reassembler.receive(b"\x01\x00\x00\x03\xe9x", 0.0) is None  # 1,001 frames of at least a byte
    assert reassembler.dropped == {"too_long": 1}
    assert not reassembler.is_open
    assert reassemble(Fragmenter(20).fragment(bytes(1000)), max_packet=1000) == [bytes(1000)]
    assert reassemble(Fragmenter(20).fragment(bytes(1001)), max_packet=1000) == []


def test_an_open_packet_is_given_up_after_thirty_seconds() -> None:
    start, middle, end = Fragmenter(20).fragment(bytes(40))
    reassembler = Reassembler()
    reassembler.receive(start, 100.0)
    reassembler.receive(middle, 129.0)
    assert reassembler.receive(end, 130.0) == bytes(40)
    reassembler.receive(start, 200.0)
    reassembler.receive(middle, 229.0)  # progress does not prolong it
    assert reassembler.receive(end, 230.1) is None
    assert reassembler.dropped == {"timed_out": 1, "out_of_step": 1}
    reassembler.receive(start, 300.0)
    reassembler.expire(330.1)
    assert not reassembler.is_open


# --- bad arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 19, 513, "182", None, 182.0])
def test_an_impossible_frame_size_is_refused(size: object) -> None:
    with pytest.raises(FrameSizeError, match="from 20 to 512"):
        Fragmenter(size)  # type: ignore[arg-type]


@pytest.mark.parametrize("packet", [b"", "text", None, 5, bytes(15 * 65_535 + 1)])
def test_an_impossible_packet_is_refused(packet: object) -> None:
    with pytest.raises(InvalidPacketError):
        Fragmenter(20).fragment(packet)  # type: ignore[arg-type]


def test_the_largest_packet_of_the_wire() -> None:
    packet = bytes(15 * 65_535)
    frames = Fragmenter(20).fragment(packet)
    assert len(frames) == 65_535
    assert reassemble(frames, max_packet=len(packet)) == [packet]
