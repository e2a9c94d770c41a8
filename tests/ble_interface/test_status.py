"""What an interface tells of itself."""

from __future__ import annotations

import json

import pytest

from ble_interface import ConnectionState

from .nodes import World


def test_the_status_tells_what_there_is_to_know(world: World) -> None:
    alice, bob = world.stack("alice", max_connections=3), world.stack("bob")
    assert bob.interface.get_status()["peers"] == []
    world.wait(lambda: alice.linked_to(bob) and bob.linked_to(alice))
    alice.peer(bob).process_outgoing(b"x" * 600)
    for n in range(2):
        bob.peer(alice).process_outgoing(b"y" * (100 + n))
    bob.driver.send(bob.peer(alice).address, b"?")
    world.run_for(10)
    status = alice.interface.get_status()
    json.dumps(status)
    (peer,) = status["peers"]
    assert {key: value for key, value in peer.items() if not isinstance(value, float)} == {
        "identity": bob.identity.hex(),
        "address": bob.driver.address,
        "role": "central",
        "mtu": 517,
        "rssi": -60,
        "state": ConnectionState.ACTIVE.value,
        "waiting_bytes": 0,
        "rx_packets": 2,
        "rx_bytes": 201,
        "tx_packets": 1,
        "tx_bytes": 600,
        "dropped": {"malformed": 1},
    }
    assert peer["connected_for"] == peer["link_age"] == pytest.approx(10, abs=0.2)
    assert peer["last_heard"] == pytest.approx(10, abs=0.2)
    assert status["links"] == {"active": 1}
    bob.interface.stop()
    world.wait(lambda: not alice.interface.peers)
    after = alice.interface.get_status()
    assert (after["peers"], after["links"]) == ([], {})
    assert after["totals"] == {
        "rx_packets": 2, "rx_bytes": 201, "tx_packets": 1, "tx_bytes": 600, "dropped": {"malformed": 1},
    }  # fmt: skip
    alice.interface.stop()
    assert alice.interface.get_status()["identity"] is None


def test_packets_that_wait_for_a_peer_that_goes_are_counted(world: World) -> None:
    alice, bob = world.pair()
    alice.driver.stall(1e6)
    peer = alice.peer(bob)
    for n in range(50):
        peer.process_outgoing(bytes([n]) * 1000)
    world.run_for(1)
    handed_over = peer.traffic.tx_packets
    bob.interface.stop()
    world.wait(lambda: not alice.interface.peers)
    assert 0 < handed_over < 50
    assert peer.waiting == 0
    assert alice.interface.get_status()["totals"]["dropped"] == {"unsent": 50 - handed_over}
