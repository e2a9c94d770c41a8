"""Frames: in order, whole, bounded, refused with a name."""

from __future__ import annotations

import contextlib
import threading

import pytest

from ble_driver import (
    DataTypeError,
    DriverStateError,
    FrameTooLargeError,
    InvalidFrameError,
    NotConnectedError,
    SendQueueFull,
    frame_size,
)
from ble_testing.contract.node import ABSENT
from ble_testing.contract.rig import Rig


def test_frames_arrive_in_order_both_ways_at_once(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    frames = [bytes([n % 256]) * (1 + n * 37 % 60) for n in range(200)]
    for frame in frames:
        alice.driver.send(bob.address, frame)
        bob.driver.send(alice.address, frame[::-1] + b"!")
    rig.wait(lambda: len(alice.of("data")) == len(bob.of("data")) == 200)
    assert bob.data(alice.address) == frames
    assert alice.data(bob.address) == [frame[::-1] + b"!" for frame in frames]


def test_the_largest_frame_passes_both_ways(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    largest = frame_size(alice.mtu(bob))
    alice.driver.send(bob.address, b"a" * largest)
    bob.driver.send(alice.address, b"b" * largest)
    rig.wait(lambda: alice.of("data") and bob.of("data"))
    assert bob.data(alice.address) == [b"a" * largest]
    assert alice.data(bob.address) == [b"b" * largest]
    with pytest.raises(FrameTooLargeError, match=str(largest)):
        alice.driver.send(bob.address, b"a" * (largest + 1))


@pytest.mark.parametrize(("mtu", "frame"), [(23, 20), (185, 182)])
def test_the_smaller_mtu_counts(rig: Rig, mtu: int, frame: int) -> None:
    rig.require_chosen_mtu()
    alice, bob, carol = rig.node(), rig.node(mtu=mtu), rig.node()
    rig.link(alice, bob)
    rig.link(bob, carol)
    assert alice.of("connected") == [[bob.address, mtu]]
    assert carol.of("connected") == [[bob.address, mtu]]
    assert dict(bob.of("connected")) == {alice.address: mtu, carol.address: mtu}
    for sender, receiver in ((alice, bob), (bob, alice), (bob, carol), (carol, bob)):
        sender.driver.send(receiver.address, b"f" * frame)
        with pytest.raises(FrameTooLargeError, match=str(frame)):
            sender.driver.send(receiver.address, b"f" * (frame + 1))
    rig.wait(lambda: len(bob.of("data")) == 2 and alice.of("data") and carol.of("data"))
    assert {data for _, data in bob.of("data") + alice.of("data") + carol.of("data")} == {b"f" * frame}


def test_what_cannot_be_sent_is_refused_at_once(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    with pytest.raises(NotConnectedError, match="no link"):
        alice.driver.send(bob.address, b"x")
    rig.link(alice, bob)
    for bad in ("text", 5, None, [1, 2]):
        with pytest.raises(DataTypeError, match="bytes"):
            alice.driver.send(bob.address, bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidFrameError, match="at least one byte"):
        alice.driver.send(bob.address, b"")
    changing = bytearray(b"copied")
    alice.driver.send(bob.address, changing)
    changing[:] = b"!!!!!!"
    rig.wait(lambda: bob.of("data"))
    rig.settle(0.1)
    assert bob.data(alice.address) == [b"copied"]
    alice.driver.disconnect(bob.address)
    rig.wait(lambda: alice.of("disconnected"))
    with pytest.raises(NotConnectedError):
        alice.driver.send(bob.address, b"x")
    alice.stop()
    with pytest.raises(DriverStateError):
        alice.driver.send(bob.address, b"x")


@pytest.mark.parametrize("sender", ["central", "peripheral"])
def test_a_full_queue_refuses_says_when_and_loses_nothing(rig: Rig, sender: str) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    source, sink = (alice, bob) if sender == "central" else (bob, alice)
    sent: list[bytes] = []

    def fill() -> None:
        while len(sent) < 600:
            frame = len(sent).to_bytes(4, "big") * 25
            source.driver.send(sink.address, frame)
            sent.append(frame)

    def go_on(address: str) -> None:
        assert address == sink.address
        with contextlib.suppress(SendQueueFull):
            fill()

    source.hooks["ready"] = go_on
    refused: list[str] = []

    def begin() -> None:  # on the dispatcher, so that nothing is sent meanwhile
        try:
            fill()
        except SendQueueFull as error:
            refused.append(f"{error} after {len(sent)}")

    source.driver.dispatcher.call_soon(begin)
    rig.wait(lambda: len(refused) == 1 or len(sent) == 600)
    assert "on_send_ready" in refused[0]
    rig.wait(lambda: len(sink.of("data")) == 600, timeout=30.0)
    assert sink.data(source.address) == sent
    assert 1 < len(source.of("ready")) < 600


def test_the_frames_of_a_packet_are_queued_whole_or_not_at_all(rig: Rig) -> None:
    hub, alice, bob = rig.node(), rig.node(), rig.node()
    rig.link(hub, alice)
    rig.link(hub, bob)
    large = min(500, frame_size(hub.mtu(alice)))
    packets = [[bytes([n]) * large, bytes([n]) * 100] for n in range(60)]
    refused: list[list[str]] = []

    def fill() -> None:  # on the dispatcher, so that nothing is sent meanwhile
        refused.extend(hub.driver.send_frames([alice.address], packet) for packet in packets)
        refused.append(hub.driver.send_frames([alice.address, bob.address], [b"both"]))

    hub.driver.dispatcher.call_soon(fill)
    rig.wait(lambda: len(refused) == 61)
    assert refused[0] == []
    assert refused[-2:] == [[alice.address], [alice.address]]
    taken = [packet for packet, full in zip(packets, refused, strict=False) if not full]
    rig.wait(lambda: len(alice.of("data")) == 2 * len(taken) and bob.of("data"))
    rig.settle(0.1)
    assert alice.data(hub.address) == [frame for packet in taken for frame in packet]
    assert bob.data(hub.address) == [b"both"]
    with pytest.raises(NotConnectedError):
        hub.driver.send_frames([alice.address, ABSENT], [b"x"])
    rig.settle(0.1)
    assert len(alice.of("data")) == 2 * len(taken)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_frame_is_whatever_is_plainly_bytes(rig: Rig, kind: type) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    everything = bytes(range(256))[: frame_size(alice.mtu(bob))]
    alice.driver.send(bob.address, kind(everything))
    bob.driver.send_frames([alice.address], [kind(everything), kind(b"\0")])
    rig.wait(lambda: bob.of("data") and len(alice.of("data")) == 2)
    assert bob.data(alice.address) == [everything]
    assert alice.data(bob.address) == [everything, b"\0"]


def test_frames_of_several_threads_keep_the_order_of_each(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)

    def talk(number: int) -> None:
        for count in range(40):
            alice.driver.send(bob.address, bytes([number, count]))

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rig.wait(lambda: len(bob.of("data")) == 160)
    for number in range(4):
        assert [data[1] for data in bob.data(alice.address) if data[0] == number] == list(range(40))


def test_nobody_is_told_of_room_who_was_not_refused(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    for number in range(100):
        alice.driver.send(bob.address, bytes([number]) * 20)
    rig.wait(lambda: len(bob.of("data")) == 100)
    assert alice.of("ready") == []


def test_frames_that_wait_end_with_their_link(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    alice.hooks["ready"] = alice.driver.disconnect  # while half of them still wait
    rig.fill(alice, bob, b"of the old link")
    rig.wait(lambda: alice.of("disconnected") and bob.of("disconnected"))
    bob.events.clear()
    alice.driver.connect(bob.address)
    rig.wait(lambda: len(alice.of("connected")) == 2 and bob.of("connected"))
    alice.driver.send(bob.address, b"of the new link")
    rig.wait(lambda: bob.of("data"))
    rig.settle(0.1)
    assert bob.data(alice.address) == [b"of the new link"]


def test_a_packet_for_several_fits_the_smallest_of_them(rig: Rig) -> None:
    rig.require_chosen_mtu()
    hub, small, large = rig.node(), rig.node(mtu=23), rig.node()
    rig.link(hub, small)
    rig.link(hub, large)
    with pytest.raises(FrameTooLargeError, match="20"):
        hub.driver.send_frames([small.address, large.address], [b"x" * 21])
    assert hub.driver.send_frames([small.address, large.address], [b"x" * 20, b"y"]) == []
    rig.wait(lambda: len(small.of("data")) == len(large.of("data")) == 2)
    assert small.data(hub.address) == large.data(hub.address) == [b"x" * 20, b"y"]


def test_a_packet_that_cannot_be_sent_is_refused_by_name(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    with pytest.raises(DataTypeError):
        alice.driver.send_frames([bob.address], [b"good", "bad"])  # type: ignore[list-item]
    with pytest.raises(InvalidFrameError):
        alice.driver.send_frames([bob.address], [b""])
    assert alice.driver.send_frames([], [b"to nobody"]) == []
    alice.stop()
    with pytest.raises(DriverStateError):
        alice.driver.send_frames([bob.address], [b"x"])
