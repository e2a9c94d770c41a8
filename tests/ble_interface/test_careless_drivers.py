"""Radios that are slow, or whose drivers do not keep the contract."""

from __future__ import annotations

import itertools

import pytest

from ble_driver import BLEDevice
from drivers.mock_ble_driver import SloppyMockDriver

from .nodes import Stack, World, a_radio, dial, states


def test_a_slow_peer_delays_no_other(world: World) -> None:
    hub, slow, quick = world.stack("hub"), world.stack("slow"), world.stack("quick")
    world.wait(lambda: hub.linked_to(slow) and hub.linked_to(quick))
    world.run_for(1)
    held = hub.driver._links[hub.peer(slow).address]
    transmit = hub.driver._transmit

    async def crawl(link: object, frame: bytes, acknowledged: bool) -> None:
        if link is held:
            await world.dispatcher.loop.create_future()
        await transmit(link, frame, acknowledged)  # type: ignore[arg-type]

    hub.driver._transmit = crawl  # type: ignore[method-assign]
    for n in range(200):
        hub.peer(slow).process_outgoing(bytes(1000))
        hub.peer(quick).process_outgoing(n.to_bytes(2, "big") * 100)
        world.run_for(0.01)
    world.run_for(0.1)
    assert len(quick.received) == 200
    assert hub.peer(slow).outbox_dropped > 0
    assert hub.peer(slow).waiting <= 65_536


def test_a_driver_that_tells_things_twice_and_late_costs_nothing_but_time(world: World) -> None:
    stacks = [world.stack(name) for name in ("alice", "bob")]
    sloppy = SloppyMockDriver(world.air, sloppiness=0.7)
    carol = Stack.__new__(Stack)
    carol.__init__(world.air, "carol", {}, {})  # type: ignore[misc]
    carol.driver = sloppy
    carol.interface.driver = sloppy
    carol.interface.start(carol.identity)
    for _ in range(10):
        world.run_for(30)
        assert len(carol.interface.peers) <= 2
        kinds = [kind for kind, peer in carol.news if peer.identity == stacks[0].identity]
        assert all(first != second for first, second in itertools.pairwise(kinds))
    sloppy.sloppiness = 0.0
    world.wait(lambda: all(carol.linked_to(stack) and stack.linked_to(carol) for stack in stacks))
    carol.interface.stop()


def test_a_driver_that_never_says_what_became_of_a_link_is_not_believed(world: World) -> None:
    alice, bob = world.pair()
    alice.driver.on_device_disconnected = None
    node = alice.interface._node
    assert node is not None
    bob.interface.stop()
    world.run_for(1)
    peer = alice.peer(bob)
    node._perform(node.table.end(peer.link, "a test", world.dispatcher.time()))
    assert states(alice) == {"closing": 1}
    world.run_for(16)
    assert "closing" not in states(alice)
    node.table.dial("00:00:00:00:00:99", world.dispatcher.time())
    node._perform([])
    world.run_for(16)
    assert "dialling" not in states(alice)


def test_callbacks_from_elsewhere_are_brought_to_the_dispatcher(world: World) -> None:
    alice, bob = world.stack("alice"), world.stack("bob", start=False)
    assert alice.interface._node is not None
    heard = alice.interface._node.dialing._heard
    assert alice.driver.on_device_discovered is not None
    alice.driver.on_device_discovered(BLEDevice(bob.driver.address, None, -50))  # nobody drives the dispatcher now
    assert heard == {}
    world.run_for(0.01)
    assert list(heard) == [bob.driver.address]


def test_callbacks_after_the_end_do_nothing(world: World) -> None:
    alice, bob = world.pair()
    node = alice.interface._node
    assert node is not None
    data, discovered = alice.driver.on_data_received, alice.driver.on_device_discovered
    assert data is not None
    assert discovered is not None
    alice.interface.stop()
    news, before = list(alice.news), dict(alice.interface.dropped)
    data(bob.driver.address, b"\x01\x00\x00\x00\x01late")
    discovered(BLEDevice("00:00:00:00:00:99", None, -50))
    world.run_for(20)
    assert (alice.news, alice.received, alice.interface.dropped) == (news, [], before)
    assert "00:00:00:00:00:99" not in node.dialing._heard


@pytest.mark.parametrize("nonsense", [0, 9999])
def test_an_mtu_that_cannot_be_costs_no_packet(world: World, nonsense: int) -> None:
    alice, bob = world.stack("alice", driver={"mtu": 100}), world.stack("bob")
    world.wait(lambda: alice.linked_to(bob) and bob.linked_to(alice))
    peer = alice.peer(bob)
    assert alice.driver.on_mtu_changed is not None
    alice.driver.on_mtu_changed(peer.address, nonsense)
    world.run_for(0.01)
    assert peer.mtu == (23 if nonsense == 0 else 517)
    for n in range(3):
        peer.process_outgoing(bytes([n]) * 1000)
    world.run_for(5)
    assert len(bob.received) == (3 if nonsense == 0 else 0)  # the driver refuses frames that are too long
    alice.driver.on_mtu_changed(peer.address, 100)
    world.run_for(5)
    assert bob.packets == [bytes([n]) * 1000 for n in range(3)]


def test_a_link_that_only_the_driver_knows_of_is_ended_when_it_speaks(world: World) -> None:
    alice = world.stack("alice")
    radio = a_radio(world)
    connected, alice.driver.on_device_connected = alice.driver.on_device_connected, None  # it forgets to tell of it
    dial(world, radio, alice)
    alice.driver.on_device_connected = connected
    radio.send(alice.driver.address, b"a bare radio, 16")
    world.wait(lambda: not radio.connected_peers, timeout=1)
    assert alice.interface.dropped == {"no_link": 1}
    dial(world, radio, alice)
    radio.send(alice.driver.address, b"a bare radio, 16")
    world.wait(lambda: alice.interface.peers, timeout=1)
    radio.stop()
