"""What a stack above relies on: peers that come and go with their links, packets whole and in order."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ble_driver import BLEDevice, DataTypeError, DriverStateError, InvalidIdentityError, Role
from ble_interface import BLEInterface, Fragmenter, InterfaceStateError, PeerGoneError, SettingError

from .nodes import CHARACTERISTICS, Tap, World, a_radio, dial

# --- the three cases every implementation must get right --------------------------------------------------------------


def test_a_large_packet_leaves_as_correctly_headed_fragments(world: World) -> None:
    driver = Tap(world.air)
    bob = world.stack("bob")
    interface = BLEInterface(bob, "tap", driver)
    interface.start(b"identity of alice"[:16])
    world.wait(lambda: interface.peers and bob.interface.peers)
    driver.sent.clear()
    packet = random.Random(1).randbytes(1200)
    interface.peers[0].process_outgoing(packet)
    world.run_for(1)
    frames = [frame for address, frame in driver.sent if address == bob.driver.address]
    assert [frame[:5].hex() for frame in frames] == ["0100000003", "0200010003", "0300020003"]
    assert [len(frame) for frame in frames] == [510, 510, 195]
    assert b"".join(frame[5:] for frame in frames) == packet
    assert bob.packets == [packet]
    interface.stop()


def test_fragments_come_in_and_one_packet_reaches_the_owner(world: World) -> None:
    alice = world.stack("alice")
    radio = a_radio(world)
    dial(world, radio, alice)
    radio.send(alice.driver.address, b"a bare radio, 16")
    for frame in Fragmenter(100).fragment(b"p" * 300):
        radio.send(alice.driver.address, frame)
    world.wait(lambda: alice.received)
    world.run_for(1)
    ((packet, peer),) = alice.received
    assert packet == b"p" * 300
    assert (peer.identity, peer.address, peer.role) == (b"a bare radio, 16", radio.address, Role.PERIPHERAL)
    assert peer.rxb == 300
    radio.stop()


def test_discovery_connection_and_disconnection_create_and_destroy_the_peer(world: World) -> None:
    alice, bob = world.stack("alice"), world.stack("bob")
    world.wait(lambda: alice.interface.peers and bob.interface.peers)
    peer = alice.peer(bob)
    assert peer.online
    assert alice.news == [("up", peer)]
    assert {peer.role, bob.peer(alice).role} == set(Role)
    bob.interface.stop()
    world.wait(lambda: not alice.interface.peers)
    world.run_for(0.1)
    assert not peer.online
    assert alice.news == [("up", peer), ("down", peer)]
    with pytest.raises(PeerGoneError):
        peer.process_outgoing(b"too late")
    bob.interface.start(bob.identity)
    world.wait(lambda: alice.interface.peers)
    assert alice.peer(bob) is not peer


# --- life and settings ------------------------------------------------------------------------------------------------


def test_stop_takes_everything_down_and_nothing_comes_after(world: World) -> None:
    alice, bob = world.pair()
    peer = alice.peer(bob)
    for n in range(20):
        bob.peer(alice).process_outgoing(b"packet %d" % n)
    alice.interface.stop()
    alice.interface.stop()
    received, news = list(alice.received), list(alice.news)
    assert alice.interface.peers == []
    assert news[-1] == ("down", peer)
    world.run_for(30)
    assert (alice.received, alice.news) == (received, news)
    with pytest.raises(PeerGoneError):
        peer.process_outgoing(b"x")


def test_the_owner_may_stop_the_interface_from_within_inbound(world: World) -> None:
    alice, bob = world.pair()
    bob.on_packet = lambda *_: bob.interface.stop()
    for _ in range(3):
        alice.peer(bob).process_outgoing(b"stop")
    world.wait(lambda: not alice.interface.peers)
    assert len(bob.received) == 1
    assert bob.interface.peers == []


def test_start_refuses_a_bad_identity_and_a_second_start(world: World) -> None:
    alice = world.stack("alice", start=False)
    with pytest.raises(InvalidIdentityError):
        alice.interface.start(b"short")
    with pytest.raises(DataTypeError):
        alice.interface.start("x" * 16)  # type: ignore[arg-type]
    alice.interface.start(alice.identity)
    with pytest.raises(InterfaceStateError):
        alice.interface.start(alice.identity)


def test_who_could_not_start_may_try_again(world: World) -> None:
    alice = world.stack("alice", start=False)
    alice.driver.start(alice.interface.settings.service_uuid, *CHARACTERISTICS)  # by somebody else
    with pytest.raises(DriverStateError):
        alice.interface.start(alice.identity)
    assert alice.interface.identity is None
    alice.driver.stop()
    alice.interface.start(alice.identity)
    bob = world.stack("bob")
    world.wait(lambda: alice.linked_to(bob) and bob.linked_to(alice))


@pytest.mark.parametrize(
    ("bad", "hint"),
    [
        ({"max_conections": 3}, "did you mean 'max_connections'"),
        ({"max_connections": 0}, "max_connections must be a whole number from 1"),
        ({"max_connections": "7"}, "max_connections"),
        ({"max_packet": 0}, "max_packet"),
        ({"outbox_size": 10}, "outbox_size"),
        ({"service_uuid": "nonsense"}, "UUID"),
        ({"device_name": "much too long"}, "8 bytes"),
    ],
)
def test_settings_refuse_nonsense_by_name(world: World, bad: dict[str, Any], hint: str) -> None:
    with pytest.raises(SettingError, match=hint):
        world.stack("alice", start=False, **bad)


def test_interfaces_of_different_services_do_not_meet(world: World) -> None:
    alice = world.stack("alice", service_uuid="37145b00-442d-4a94-917f-8f42c5da2000")
    bob = world.stack("bob")
    world.run_for(30)
    assert alice.interface.peers == bob.interface.peers == []


def test_devices_without_a_link_are_remembered_within_bounds(world: World) -> None:
    alice = world.stack("alice", max_connections=1)
    world.wait(lambda: alice.driver.local_address)
    on_discovered = alice.driver.on_device_discovered
    assert on_discovered is not None
    for n in range(5000):
        on_discovered(BLEDevice(f"FF:FF:FF:FF:{n >> 8:02X}:{n & 255:02X}", None, -60))
    world.run_for(0.1)
    assert alice.interface._node is not None
    dialing = alice.interface._node.dialing
    assert len(dialing._heard) == 1000
    assert len(dialing._contest) <= 1000
