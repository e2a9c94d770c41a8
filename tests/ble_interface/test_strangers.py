"""Hostile and merely strange peers: bare radios that keep to the protocol only as far as a test makes them."""

from __future__ import annotations

import random

from ble_interface import Fragmenter

from .nodes import World, a_radio, dial


def test_a_first_write_that_is_no_handshake_is_dropped(world: World) -> None:
    alice = world.stack("alice")
    radio = a_radio(world)
    dial(world, radio, alice)
    got: list[bytes] = []
    radio.on_data_received = lambda _, data: got.append(data)
    for frame in (b"x", b"y" * 15, b"z" * 17, b"\x01\x00\x00\x00\x01hello"):
        radio.send(alice.driver.address, frame)
    world.run_for(5)
    assert alice.interface.dropped == {"before_handshake": 4}
    assert alice.interface.peers == []
    assert got == []  # we say nothing before the handshake
    world.wait(lambda: not radio.connected_peers, timeout=10)  # and do not wait for ever
    radio.stop()


def test_sixteen_bytes_do_not_hijack_a_peer(world: World) -> None:
    alice, bob = world.pair()
    radio = a_radio(world)
    dial(world, radio, alice)
    before = alice.peer(bob)
    radio.send(alice.driver.address, bob.identity)
    for frame in Fragmenter(100).fragment(b"forged"):
        radio.send(alice.driver.address, frame)
    world.wait(lambda: not radio.connected_peers)
    bob.peer(alice).process_outgoing(b"genuine")
    world.wait(lambda: alice.received)
    assert alice.received == [(b"genuine", before)]
    assert before.online
    radio.stop()


def test_our_own_identity_is_refused(world: World) -> None:
    alice = world.stack("alice")
    radio = a_radio(world)
    dial(world, radio, alice)
    radio.send(alice.driver.address, alice.identity)
    world.wait(lambda: not radio.connected_peers)
    assert alice.interface.peers == []
    radio.stop()


def test_noise_after_the_handshake_costs_counters(world: World) -> None:
    alice = world.stack("alice")
    radio = a_radio(world)
    dial(world, radio, alice)
    rng = random.Random(7)
    radio.send(alice.driver.address, b"a bare radio, 16")
    radio.send(alice.driver.address, b"a bare radio, 16")
    world.run_for(0.1)
    for _ in range(500):
        radio.send(alice.driver.address, bytes([rng.randrange(6, 256)]) + rng.randbytes(rng.randrange(40)))
        world.run_for(0.01)
    radio.send(alice.driver.address, b"\x01\x00\x00\x00\x01still heard")
    world.wait(lambda: alice.packets == [b"still heard"])
    (peer,) = alice.interface.peers
    assert peer.dropped == {"repeated_handshake": 1, "malformed": 500}
    radio.stop()


def test_keepalives_are_sent_after_silence_and_probes_answered(world: World) -> None:
    alice = world.stack("alice")
    radio = a_radio(world)
    dial(world, radio, alice)
    got: list[tuple[float, bytes]] = []
    radio.on_data_received = lambda _, data: got.append((world.dispatcher.time(), data))
    radio.send(alice.driver.address, b"a bare radio, 16")
    world.wait(lambda: alice.interface.peers)
    begun = world.dispatcher.time()
    world.run_for(40)
    assert [(round(at - begun), data) for at, data in got] == [(15, b"\x00"), (30, b"\x00")]
    alice.interface.peers[0].process_outgoing(b"x")
    world.run_for(14)
    assert got[-1][1] == b"\x01\x00\x00\x00\x01x"  # not silent, so no keepalive yet
    radio.send(alice.driver.address, b"\x04\x2a")
    radio.send(alice.driver.address, b"\x00")
    world.run_for(0.1)
    # A peer that asks is asked in turn, to learn whether it answers.
    assert [frame for _, frame in got[-2:]] == [b"\x05\x2a", b"\x04\x01"]
    assert not alice.interface.peers[0].dropped
    assert alice.received == []
    radio.stop()
