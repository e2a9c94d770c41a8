"""What a stack above relies on: peers that come and go with their links, packets whole and in order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ble_driver import AddressType, BLEDevice, DataTypeError, InvalidIdentityError, Role
from ble_driver.interface import Bytes
from ble_interface import (
    BLEInterface,
    BLEPeerInterface,
    Fragmenter,
    InterfaceStateError,
    InvalidPacketError,
    PeerGoneError,
    SettingError,
)
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir

from .nodes import World, a_world


class Tap(MockBLEDriver):
    """A mock radio that writes down what is sent."""

    def __init__(self, air: VirtualAir) -> None:
        super().__init__(air)
        self.sent: list[tuple[str, bytes]] = []
        self.dialled: list[tuple[float, str]] = []

    def send_frames(self, addresses: Sequence[str], frames: Sequence[Bytes]) -> list[str]:
        full = super().send_frames(addresses, frames)
        self.sent += [(address, bytes(frame)) for address in addresses if address not in full for frame in frames]
        return full

    def connect(self, address: str) -> None:
        self.dialled.append((self.dispatcher.time(), address))
        super().connect(address)


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
    radio = Tap(world.air)
    radio.set_identity(b"a bare radio, 16")
    radio.start(alice.interface.settings.service_uuid, *_characteristics())
    radio.connect(alice.driver.address)
    world.wait(lambda: radio.connected_peers)
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


def _characteristics() -> tuple[str, str, str]:
    from ble_interface import IDENTITY_CHAR_UUID, RX_CHAR_UUID, TX_CHAR_UUID

    return RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID


# --- packets ----------------------------------------------------------------------------------------------------------


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


# --- links ------------------------------------------------------------------------------------------------------------


def test_four_nodes_all_find_each_other_and_stay(world: World) -> None:
    stacks = [world.stack(name) for name in ("alice", "bob", "carol", "dave")]
    world.wait(lambda: all(len(stack.interface.peers) == 3 for stack in stacks))
    world.run_for(300)
    for stack in stacks:
        assert [kind for kind, _ in stack.news] == ["up"] * 3


def test_the_lower_address_dials_and_the_higher_waits(world: World) -> None:
    for _ in range(5):
        low, high = world.pair()
        assert low.driver.address < high.driver.address
        assert low.peer(high).role is Role.CENTRAL
        low.interface.stop()
        high.interface.stop()


def test_the_higher_address_dials_when_nobody_else_does(world: World) -> None:
    low = MockBLEDriver(world.air)  # a peer that never dials
    low.set_identity(b"a bare radio, 16")
    high = world.stack("high")
    low.start(high.interface.settings.service_uuid, *_characteristics())
    low.start_advertising()
    begun = world.dispatcher.time()
    world.wait(lambda: high.interface.peers)
    assert 10.0 <= world.dispatcher.time() - begun <= 12.0
    low.stop()


@pytest.mark.parametrize(("other", "earliest", "latest"), [("FF", 0.0, 1.1), ("00", 10.0, 10.1)])
def test_a_peer_that_is_heard_once_is_dialled_in_its_time(
    world: World, other: str, earliest: float, latest: float
) -> None:
    """As BlueZ reports one whose signal does not vary: once, and then not for ten seconds."""
    driver = Tap(world.air)
    interface = BLEInterface(world.stack("nobody", start=False), "tap", driver)
    interface.start(b"identity of a tap"[:16])
    world.run_for(0.5)
    address = f"{other}:00:00:00:00:00"
    heard = world.dispatcher.time()
    assert driver.on_device_discovered is not None
    driver.on_device_discovered(BLEDevice(address, None, -60, AddressType.PUBLIC))
    world.run_for(15)
    ((at, dialled),) = driver.dialled
    assert dialled == address
    assert earliest <= at - heard <= latest
    interface.stop()


def test_attempts_at_one_peer_are_five_seconds_apart(world: World) -> None:
    driver = Tap(world.air)
    interface = BLEInterface(world.stack("bob", start=False), "tap", driver)
    interface.start(b"identity of a tap"[:16])
    mute = MockBLEDriver(world.air)  # without an identity, so that every attempt fails
    mute.start(interface.settings.service_uuid, *_characteristics())
    mute.start_advertising()
    world.run_for(0.5)
    for _ in range(10_000):  # a storm of advertisements
        driver.hear(mute, -60)
    world.run_for(300)
    times = [at for at, _ in driver.dialled]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(times) >= 9
    assert all(5.0 <= gap <= 31 for gap in gaps)
    assert gaps[0] < 7
    assert min(gaps[4:]) > 20  # it is left alone for longer and longer
    assert driver.connecting_peers == []
    mute.stop()
    interface.stop()


def test_connections_are_limited(world: World) -> None:
    hub = world.stack("hub", max_connections=2)
    others = [world.stack(name, max_connections=1) for name in ("a", "b", "c", "d")]
    world.wait(lambda: len(hub.interface.peers) == 2)
    for _ in range(100):
        world.run_for(0.5)
        assert len(hub.interface.peers) <= 2
        assert all(len(stack.interface.peers) <= 1 for stack in others)


def test_nobody_is_dialled_when_all_places_are_taken(world: World) -> None:
    driver = Tap(world.air)
    bob = world.stack("bob")
    interface = BLEInterface(bob, "tap", driver, max_connections=1)
    interface.start(b"identity of a tap"[:16])
    world.wait(lambda: interface.peers)
    before = list(driver.dialled)
    for name in ("c", "d"):
        world.stack(name, max_connections=1)
    world.run_for(60)
    assert driver.dialled == before
    interface.stop()


def test_a_peer_that_vanishes_and_returns_is_linked_again(world: World) -> None:
    alice, bob = world.pair()
    bob.driver.vanish()
    world.wait(lambda: not alice.interface.peers)
    bob.interface.stop()
    bob.interface.start(bob.identity)
    world.wait(lambda: alice.linked_to(bob) and bob.linked_to(alice), timeout=20)


# --- hostile and merely strange peers ---------------------------------------------------------------------------------


def _bare_radio(world: World, identity: bytes = b"a bare radio, 16") -> MockBLEDriver:
    """A radio that dials the first stack of the world and speaks the protocol only as far as a test makes it."""
    radio = MockBLEDriver(world.air)
    radio.set_identity(identity)
    target = world.stacks[0]
    radio.start(target.interface.settings.service_uuid, *_characteristics())
    radio.connect(target.driver.address)
    world.wait(lambda: radio.connected_peers)
    return radio


def test_a_first_write_that_is_no_handshake_is_dropped(world: World) -> None:
    alice = world.stack("alice")
    radio = _bare_radio(world)
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
    radio = _bare_radio(world)
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
    radio = _bare_radio(world)
    radio.send(alice.driver.address, alice.identity)
    world.wait(lambda: not radio.connected_peers)
    assert alice.interface.peers == []
    radio.stop()


def test_noise_after_the_handshake_costs_counters(world: World) -> None:
    alice = world.stack("alice")
    radio = _bare_radio(world)
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
    radio = _bare_radio(world)
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
