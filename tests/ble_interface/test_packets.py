"""Packets between two stacks: whole, in order, within bounds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ble_driver import Role
from ble_interface import BLEInterface, BLEPeerInterface, InvalidPacketError

from .nodes import Tap, World, a_world


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 8192), min_size=1, max_size=12),
    st.sampled_from((23, 24, 100, 185, 517)),
    st.integers(0, 1000),
)
def test_packets_of_any_size_cross_in_order_both_ways(sizes: list[int], mtu: int, seed: int) -> None:
    rng = random.Random(seed)
    packets = [rng.randbytes(size) for size in sizes]
    with a_world() as world:
        alice, bob = (
            world.stack("alice", driver={"mtu": mtu}, outbox_size=1 << 20),
            world.stack("bob", outbox_size=1 << 20),
        )
        world.wait(lambda: alice.linked_to(bob) and bob.linked_to(alice))
        for packet in packets:
            alice.peer(bob).process_outgoing(packet)
            bob.peer(alice).process_outgoing(packet[::-1])
        world.wait(lambda: len(alice.received) == len(bob.received) == len(packets), timeout=600)
        assert bob.packets == packets
        assert alice.packets == [packet[::-1] for packet in packets]
        assert alice.peer(bob).txb == bob.peer(alice).rxb == sum(sizes)
        assert not alice.peer(bob).dropped
        assert not bob.peer(alice).dropped


def test_no_frame_of_sixteen_bytes_but_the_handshake(world: World) -> None:
    driver = Tap(world.air)
    bob = world.stack("bob")
    interface = BLEInterface(bob, "tap", driver, outbox_size=1 << 20)
    interface.start(b"tap............!")
    world.wait(lambda: interface.peers and bob.interface.peers)
    for size in range(1, 600):
        interface.peers[0].process_outgoing(bytes(size))
    world.wait(lambda: len(bob.received) == 599)
    assert [len(packet) for packet in bob.packets] == list(range(1, 600))
    short = [frame for _, frame in driver.sent if len(frame) == 16]
    assert short == ([b"tap............!"] if interface.peers[0].role is Role.CENTRAL else [])
    interface.stop()


def test_the_owner_may_answer_from_within_inbound(world: World) -> None:
    alice, bob = world.pair()
    bob.on_packet = lambda packet, peer: peer.process_outgoing(b"re: " + packet)
    for n in range(50):
        alice.peer(bob).process_outgoing(b"question %d" % n)
    world.wait(lambda: len(alice.received) == 50)
    assert alice.packets == [b"re: question %d" % n for n in range(50)]


def test_an_owner_that_raises_loses_only_that_packet(world: World, caplog: pytest.LogCaptureFixture) -> None:
    alice, bob = world.pair()

    def fail_once(packet: bytes, peer: BLEPeerInterface) -> None:
        bob.on_packet = None
        raise RuntimeError("the owner is broken")

    bob.on_packet = fail_once
    for n in range(3):
        alice.peer(bob).process_outgoing(b"packet %d" % n)
    world.wait(lambda: len(bob.received) == 3)
    assert "the owner is broken" in caplog.text
    assert bob.linked_to(alice)


def test_a_full_outbox_drops_the_oldest_and_counts(world: World) -> None:
    alice, bob = world.pair(max_packet=1000, outbox_size=10_000)
    peer = alice.peer(bob)
    packets = [n.to_bytes(2, "big") * 500 for n in range(100)]
    for packet in packets:
        peer.process_outgoing(packet)
    world.wait(lambda: len(bob.received) + peer.outbox_dropped == 100)
    assert bob.packets == packets[peer.outbox_dropped :]
    assert peer.outbox_dropped == 90


def test_bad_packets_are_refused_by_name(world: World) -> None:
    alice, bob = world.pair(max_packet=500)
    for bad in (b"", bytes(501), "text", None, 7):
        with pytest.raises(InvalidPacketError):
            alice.peer(bob).process_outgoing(bad)  # type: ignore[arg-type]
    alice.peer(bob).process_outgoing(bytes(500))
    world.wait(lambda: bob.received)
