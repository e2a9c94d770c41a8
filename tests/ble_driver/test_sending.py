"""What a driver hands to its radio."""

from __future__ import annotations

from ble_driver import Packet
from drivers.mock_ble_driver.driver import MockLink
from tests.health.hanging import World


def test_a_packet_of_no_frames_is_nothing_to_send() -> None:
    world = World()
    alice, bob = world.driver(), world.driver()
    world.link(alice, bob)
    handed: list[Packet] = []

    async def transmit(_: MockLink, packet: Packet) -> None:
        handed.append(packet)

    alice._transmit_packet = transmit  # type: ignore[method-assign,assignment]
    assert alice.send_frames([bob.address], []) == []
    assert alice.send_frames([bob.address], [b"a frame"]) == []
    world.dispatcher.run_for(1.0)
    assert handed == [(b"a frame",)]
    for driver in (alice, bob):
        driver.stop()
    world.dispatcher.close()
