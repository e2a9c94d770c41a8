"""How to test a stack of your own without radios: run it with pytest wherever this library is installed.

The fixture `ble_air` comes with the library. Time is virtual: an hour of it takes moments, and every run is the same.
"""

from __future__ import annotations

from ble_driver import BLEDriverInterface
from ble_interface import BLEInterface, BLEPeerInterface
from ble_testing.air import Air


class Stack:
    """Put yours in its place."""

    def __init__(self, name: str, driver: BLEDriverInterface) -> None:
        self.heard: list[bytes] = []
        self.interface = BLEInterface(self, name, driver)
        self.interface.start(identity=name.encode().ljust(16))

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        self.heard.append(packet)


def test_a_packet_arrives(ble_air: Air) -> None:
    alice = Stack("alice", ble_air.driver())
    bob = Stack("bob", ble_air.driver(mtu=185))
    ble_air.wait(lambda: alice.interface.peers and bob.interface.peers)

    alice.interface.peers[0].process_outgoing(b"hello" * 100)
    ble_air.wait(lambda: bob.heard == [b"hello" * 100])


def test_a_peer_that_vanishes_is_found_again(ble_air: Air) -> None:
    alice_radio, bob_radio = ble_air.driver(), ble_air.driver()
    alice, bob = Stack("alice", alice_radio), Stack("bob", bob_radio)
    ble_air.wait(lambda: alice.interface.peers and bob.interface.peers)

    bob_radio.vanish()  # the battery is taken out
    ble_air.wait(lambda: not alice_radio.connected_peers)
    again = Stack("bob", ble_air.driver())
    ble_air.wait(lambda: again.interface.peers)
    alice.interface.peers[0].process_outgoing(b"welcome back")
    ble_air.wait(lambda: again.heard == [b"welcome back"])
