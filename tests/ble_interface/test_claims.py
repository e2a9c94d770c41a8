"""Whoever claims an identity, and whoever has it at a new address, seen from the stack above."""

from __future__ import annotations

import pytest

from ble_interface import Fragmenter
from drivers.mock_ble_driver import HostileNode

from .nodes import CHARACTERISTICS, World, a_radio, dial, states


@pytest.mark.parametrize("mtu", [23, 517])
@pytest.mark.parametrize("advertises", [False, True])
@pytest.mark.parametrize("victim", ["central", "peripheral"])
def test_a_claim_changes_nothing_for_the_peer_it_names(world: World, mtu: int, advertises: bool, victim: str) -> None:
    alice, bob = world.pair() if victim == "central" else world.pair()[::-1]
    assert alice.peer(bob).role.value == victim
    peer = alice.peer(bob)
    before = (peer.address, peer.mtu, peer.role)
    hostile = HostileNode(world.air, mtu=mtu)
    hostile.told = bob.identity
    service = alice.interface.settings.service_uuid
    hostile.start(service, *CHARACTERISTICS)
    if advertises:
        hostile.start_advertising()
    else:
        hostile.connect(alice.driver.address)
    for _ in range(40):
        world.run_for(0.5)
        for frame in (bob.identity, *Fragmenter(20).fragment(b"forged" * 10)):
            hostile.write(alice.driver.address, frame)
        peer.process_outgoing(b"to bob")
        bob.peer(alice).process_outgoing(b"to alice")
    world.run_for(1)
    assert (peer.address, peer.mtu, peer.role) == before
    assert alice.news == [("up", peer)]
    assert alice.packets == [b"to alice"] * 40
    assert bob.packets == [b"to bob"] * 40
    assert hostile.connected_peers == []
    if not advertises and victim == "peripheral":  # otherwise it is refused at once
        assert alice.interface.dropped["unconfirmed"] > 0
    hostile.stop()


def test_a_peer_at_a_new_address_takes_over_when_its_old_link_is_silent_and_that_is_drained(world: World) -> None:
    alice = world.stack("alice")
    old, new = a_radio(world), a_radio(world)
    dial(world, old, alice)
    old.send(alice.driver.address, b"a bare radio, 16")
    world.run_for(50)
    (peer,) = alice.interface.peers
    dial(world, new, alice)
    new.send(alice.driver.address, b"a bare radio, 16")
    world.run_for(0.1)
    assert peer.address == new.address
    assert states(alice) == {"active": 1, "draining": 1}
    heard_by_old: list[bytes] = []
    old.on_data_received = lambda _, data: heard_by_old.append(data)
    peer.process_outgoing(b"to the new one")
    old.send(alice.driver.address, b"\x01\x00\x00\x00\x01late")
    old.send(alice.driver.address, b"\x04\x01")
    world.run_for(9)
    assert alice.packets == [b"late"]
    assert heard_by_old == []
    world.run_for(2)
    assert old.connected_peers == []
    assert alice.news == [("up", peer)]
    assert states(alice) == {"active": 1}
    for radio in (old, new):
        radio.stop()


def test_a_peer_that_used_to_answer_and_is_silent_is_dead_and_found_again(world: World) -> None:
    alice, bob = world.pair()
    peer, address = alice.peer(bob), bob.peer(alice).address
    bob.driver.send(address, b"\x04\x07")  # from now on alice may ask
    world.run_for(1)
    assert peer.link.probes
    assert peer.link.answers
    assert peer.online
    bob.driver.stall(1e9)
    begun = world.dispatcher.time()
    world.wait(lambda: not peer.online)
    assert 43 <= world.dispatcher.time() - begun <= 46
    bob.driver.stall(0)
    world.wait(lambda: alice.linked_to(bob) and bob.linked_to(alice), timeout=40)
