"""Who gets the places for links, and who is dialled for them."""

from __future__ import annotations

import itertools

import pytest

from ble_driver import AddressType
from drivers.mock_ble_driver import MockBLEDriver

from .nodes import CHARACTERISTICS, World, a_radio, states

#: Metres from the hub: heard at -60 and at -90 dBm.
NEAR, FAR = (0.0, 1.0), (16.0, 0.0)


def test_centrals_that_say_nothing_leave_room_for_those_that_do(world: World) -> None:
    alice = world.stack("alice", max_connections=4)
    silent = [a_radio(world) for _ in range(6)]
    for radio in silent:
        radio.connect(alice.driver.address)
    world.run_for(1)
    assert states(alice) == {"unknown": 2}
    bob = world.stack("bob", driver={"address_type": AddressType.RANDOM})
    world.wait(lambda: alice.linked_to(bob), timeout=5)
    world.run_for(11)
    assert states(alice) == {"active": 1}
    for radio in silent:
        radio.stop()


@pytest.mark.parametrize("evict", [False, True])
def test_a_clearly_better_peer_gets_the_place_of_the_worst_if_that_is_wanted(world: World, evict: bool) -> None:
    hub = world.stack("hub", max_connections=1, evict_worst=evict)
    far = world.stack("far", driver={"position": FAR})
    world.wait(lambda: hub.linked_to(far))
    better = world.stack("better", driver={"position": NEAR})
    world.run_for(50)
    assert hub.linked_to(far)
    world.run_for(40)
    assert hub.linked_to(better) is evict
    world.run_for(300)
    assert hub.linked_to(better) is evict
    assert len(hub.news) == (3 if evict else 1)  # no to and fro


def test_one_better_peer_takes_one_place(world: World) -> None:
    world.air.advertisement_copies = 20  # so that it is heard again before its place is free
    hub = world.stack("hub", max_connections=2, evict_worst=True)
    far = [world.stack(name, driver={"position": FAR}) for name in ("far", "farther")]
    world.wait(lambda: all(hub.linked_to(stack) for stack in far))
    world.run_for(70)
    better = world.stack("better", driver={"position": NEAR})
    world.run_for(120)
    assert hub.linked_to(better)
    assert len(hub.news) == 4


def test_a_peer_that_never_dials_is_dialled_by_the_higher_address_too(world: World) -> None:
    high = world.stack("high", driver={"address": "F0:00:00:00:00:00"})
    shy = MockBLEDriver(world.air, manufacturer_data=((0xFFFF, b"\x03\x01"),))
    shy.set_identity(b"a bare radio, 16")
    service = high.interface.settings.service_uuid
    shy.start(service, *CHARACTERISTICS)
    shy.start_advertising()
    world.wait(lambda: high.interface.peers, timeout=2)
    shy.stop()


def test_a_full_peer_is_dialled_less_and_less_often(world: World) -> None:
    hub, first = world.stack("hub", max_connections=1), world.stack("first", max_connections=1)
    world.wait(lambda: hub.linked_to(first))
    second = world.stack("second", driver={"address": "00:00:00:00:00:02"})
    node = second.interface._node
    assert node is not None
    dialled: list[float] = []
    connect = second.driver.connect

    def note(address: str) -> None:
        if address == hub.driver.address:
            dialled.append(world.dispatcher.time())
        connect(address)

    second.driver.connect = note  # type: ignore[method-assign]
    world.run_for(300)
    gaps = [later - earlier for earlier, later in itertools.pairwise(dialled)]
    assert 8 <= len(dialled) <= 20
    assert min(gaps[4:]) > 20
    first.interface.stop()
    world.wait(lambda: hub.linked_to(second), timeout=40)
