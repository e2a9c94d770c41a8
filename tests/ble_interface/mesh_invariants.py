"""What must hold after every step of `test_mesh_machine`."""

from __future__ import annotations

from collections import Counter

from hypothesis.stateful import invariant

from ble_interface.states import ConnectionState
from drivers.mock_ble_driver import MockBLEDriver

from .mesh_events import MeshEvents, steps
from .stations import MAX_PACKET, OUTBOX


class MeshInvariants(MeshEvents):
    """The air with somebody who looks after every step."""

    @invariant()
    def one_live_link_per_identity(self) -> None:
        active = [x.identity for x in self.node.table.links.values() if x.state is ConnectionState.ACTIVE]
        assert len(set(active)) == len(active)
        assert set(active) == self.hub.peers
        for station in (self.hub, *self.peers):
            assert set(station.up.values()) <= {0, 1}
        steps["steps"] += 1

    @invariant()
    def attempts_are_the_drivers(self) -> None:
        dialling = {x.address for x in self.node.table.links.values() if x.state is ConnectionState.DIALLING}
        trying = set(self.hub.driver.connecting_peers)
        assert trying <= dialling
        if type(self.hub.driver) is MockBLEDriver:
            assert dialling == trying

    @invariant()
    def places_are_never_exceeded(self) -> None:
        used = [x for x in self.node.table.links.values() if x.state is not ConnectionState.CLOSING]
        assert len(used) <= self.hub.interface.settings.max_connections
        assert len(self.hub.peers) <= self.hub.interface.settings.max_connections

    @invariant()
    def memory_is_bounded(self) -> None:
        node = self.node
        assert len(node.dialing._heard) <= 1000
        assert len(node.table.links) <= 2 * self.hub.interface.settings.max_connections + 8
        assert node.delivery._bytes <= 1 << 20
        assert len(node.dropped) < 20
        for link in node.table.links.values():
            assert link._held_bytes <= 65_536
            assert link.reassembler._size <= MAX_PACKET
        for peer in self.hub.interface.peers:
            assert peer.waiting <= OUTBOX

    @invariant()
    def what_arrives_was_sent_by_that_identity_whole_and_once(self) -> None:
        for station in (self.hub, *self.peers):
            for (source, packet), times in Counter(station.got).items():
                assert times <= self.sent[source, station.identity, packet], (source, packet[:8])
