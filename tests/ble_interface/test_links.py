"""Who dials whom and when, how many links there are, and what comes back."""

from __future__ import annotations

import itertools

import pytest

from ble_driver import AddressType, BLEDevice, Role
from ble_interface import BLEInterface
from drivers.mock_ble_driver import MockBLEDriver

from .nodes import CHARACTERISTICS, Tap, World


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
    low.start(high.interface.settings.service_uuid, *CHARACTERISTICS)
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
    mute.start(interface.settings.service_uuid, *CHARACTERISTICS)
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
