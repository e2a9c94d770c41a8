"""Two links of one identity, seen from the stacks above."""

from __future__ import annotations

import pytest

from ble_driver import Role

from .nodes import World, a_radio, a_world, dial


@pytest.mark.parametrize("lead", [0.0, 0.02, 0.06, 0.2])
def test_two_nodes_that_dial_each_other_keep_the_same_link_and_nobody_above_notices(lead: float) -> None:
    """Each advertises with one address and dials with another, so neither knows the other's link."""
    with a_world() as world:
        alice, bob = (
            world.stack(name, driver={"address": f"{n}0:00:00:00:00:01", "dials_as": f"{n}1:00:00:00:00:01"})
            for n, name in ((1, "alice"), (2, "bob"))
        )
        world.run_for(0.1)
        for stack in (alice, bob):  # no policy here: they dial when the test says so
            assert stack.interface._node is not None
            for other in (alice, bob):
                stack.interface._node.dialing._remember(other.driver.address, 0.0).not_before = 1e9
        alice.driver.connect(bob.driver.address)
        world.run_for(lead)
        bob.driver.connect(alice.driver.address)
        world.run_for(1.0)
        for n in range(5):
            alice.peer(bob).process_outgoing(b"to bob %d" % n)
            bob.peer(alice).process_outgoing(b"to alice %d" % n)
        world.run_for(30)
        assert {alice.peer(bob).role, bob.peer(alice).role} == {Role.CENTRAL, Role.PERIPHERAL}
        assert len(alice.driver.connected_peers) == len(bob.driver.connected_peers) == 1
        assert [kind for kind, _ in alice.news] == [kind for kind, _ in bob.news] == ["up"]
        assert (len(alice.received), len(bob.received)) == (5, 5)


def test_what_comes_on_the_winner_is_held_until_the_loser_is_closed(world: World) -> None:
    """As with a peer that drains the loser for ten seconds and sends on the winner meanwhile."""
    alice = world.stack("alice")
    first, second = a_radio(world), a_radio(world)
    dial(world, first, alice)
    first.send(alice.driver.address, b"a bare radio, 16")
    world.run_for(0.1)
    (peer,) = alice.interface.peers
    dial(world, second, alice)
    second.send(alice.driver.address, b"a bare radio, 16")
    second.send(alice.driver.address, b"\x01\x00\x00\x00\x01on the winner")
    first.send(alice.driver.address, b"\x01\x00\x00\x00\x01on the loser")
    got: list[bytes] = []
    first.on_data_received = lambda _, data: got.append(data)
    world.run_for(5)
    peer.process_outgoing(b"still here")
    world.run_for(4)
    assert alice.packets == [b"on the loser"]
    assert got == [b"\x01\x00\x00\x00\x01still here"]
    first.disconnect(alice.driver.address)
    world.run_for(1)
    assert alice.packets == [b"on the loser", b"on the winner"]
    assert alice.interface.peers == [peer]
    assert (peer.address, peer.dropped) == (second.address, {})
    assert alice.news == [("up", peer)]
    for radio in (first, second):
        radio.stop()
