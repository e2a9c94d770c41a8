"""A packet to many peers is cut once, and never taken for another."""

from __future__ import annotations

from collections.abc import Sequence

from ble_interface import Fragmenter, Reassembler
from ble_interface.recent_frames import REMEMBERED, RecentFrames

from .nodes import Stack, World, a_world

FIFTY = 50


def test_the_same_packet_is_cut_once_for_each_size_of_frames() -> None:
    recent, packet = RecentFrames(), bytes(range(200))
    small, large = Fragmenter(20), Fragmenter(182)
    frames = recent.of(packet, small)
    assert recent.of(packet, small) is frames
    assert recent.of(packet, large) == large.fragment(packet)
    assert recent.of(packet, Fragmenter(20)) is frames


def test_a_packet_at_the_place_of_one_that_is_gone_is_not_taken_for_it() -> None:
    recent, fragmenter = RecentFrames(), Fragmenter(20)
    for n in range(20 * REMEMBERED):
        packet = bytes([n & 255]) * 30  # of a size for which Python gives the same place again at once
        reassembler = Reassembler()
        got = [reassembler.receive(frame, 0.0) for frame in recent.of(packet, fragmenter)]
        assert got[-1] == packet
        del packet


def test_a_broadcast_to_fifty_peers_is_cut_once_and_arrives_at_all() -> None:
    with a_world() as world:
        hub, spokes = _star(world)
        cut: list[Sequence[bytes]] = []
        send_frames = hub.driver.send_frames

        def watch(addresses: Sequence[str], frames: Sequence[bytes]) -> list[str]:
            cut.append(frames)
            return send_frames(addresses, frames)

        hub.driver.send_frames = watch  # type: ignore[assignment,method-assign]
        packets = [bytes([n]) * 600 for n in range(3)]
        for packet in packets:
            for peer in hub.interface.peers:
                peer.process_outgoing(packet)
        world.wait(lambda: all(len(spoke.packets) == len(packets) for spoke in spokes))
        assert all(spoke.packets == packets for spoke in spokes)
        assert len(cut) == FIFTY * len(packets)
        assert len({id(frames) for frames in cut}) == len(packets)


def _star(world: World) -> tuple[Stack, list[Stack]]:
    hub = world.stack("hub", max_connections=FIFTY)
    hub.driver.stop_advertising()
    spokes = [world.stack(f"spoke{n}", max_connections=1) for n in range(FIFTY)]
    for spoke in spokes:
        spoke.driver.stop_scanning()
    world.wait(lambda: len(hub.interface.peers) == FIFTY, 300.0)
    return hub, spokes
