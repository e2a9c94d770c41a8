"""One interface against a random air and random peers: hypothesis plays, and looks after every step.

The interface under test is the hub. Around it are other interfaces, some of which rotate their addresses, dial under
another one, have a controller with few slots or a driver that tells things twice and too late; and a node that means
harm. For a long run: ``MESH_MACHINE_EXAMPLES=5000 python -m pytest tests/ble_interface/test_mesh_machine.py -s``; it
says at its end how many steps it made.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ble_driver import AddressType, BLEDevice, ConnectCancelledError, VirtualDispatcher
from ble_interface import BLEInterface, BLEPeerInterface, PeerGoneError
from ble_interface.node import Node
from ble_interface.states import ConnectionState
from drivers.mock_ble_driver import Fault, HostileNode, MockBLEDriver, SloppyMockDriver, Step, VirtualAir

EXAMPLES = int(os.environ.get("MESH_MACHINE_EXAMPLES", "60"))
STEPS = 30
#: Seconds of virtual time in which the mesh must have recovered once nothing goes wrong any more.
RECOVERY = 60.0
HOSTILE = "00:00:00:00:00:01"
HUB = b"the hub........."
MAX_PACKET, OUTBOX = 2000, 20_000
steps: Counter[str] = Counter()


class Station:
    """A node of the air: its stack, which knows what it has sent and what it got."""

    def __init__(self, driver: MockBLEDriver, identity: bytes, max_connections: int) -> None:
        self.identity = identity
        self.driver = driver
        self.interface = BLEInterface(
            self, identity.decode().rstrip("."), driver,
            max_connections=max_connections, max_packet=MAX_PACKET, outbox_size=OUTBOX,
        )  # fmt: skip
        self.interface.on_peer_connected = lambda peer: self._news(peer, 1)
        self.interface.on_peer_disconnected = lambda peer: self._news(peer, -1)
        self.got: list[tuple[bytes, bytes]] = []  # identity of the sender, packet
        self.forged: set[bytes] = set()  # whom the hostile node was taken for
        self.up: Counter[bytes] = Counter()
        self.changes = 0
        self.on = False

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        if peer.address == HOSTILE:
            self.forged.add(peer.identity)
        else:
            self.got.append((peer.identity, packet))

    def _news(self, peer: BLEPeerInterface, change: int) -> None:
        self.up[peer.identity] += change
        self.changes += 1

    def switch(self, on: bool) -> None:
        """Start or stop the stack."""
        self.on = on
        if on:
            self.interface.start(self.identity)
        else:
            self.interface.stop()

    @property
    def peers(self) -> set[bytes]:
        return {peer.identity for peer in self.interface.peers}

    def send(self, to: bytes, packet: bytes) -> bool:
        """Send a packet if there is such a peer."""
        for peer in self.interface.peers:
            if peer.identity == to:
                try:
                    peer.process_outgoing(packet)
                except PeerGoneError:
                    return False
                return True
        return False


class Mesh(RuleBasedStateMachine):
    """The air, the hub, and what happens to them."""

    @initialize(
        seed=st.integers(0, 1 << 16),
        places=st.integers(1, 5),
        sloppy=st.booleans(),
        random_address=st.booleans(),
        connect_delay=st.sampled_from((0.05, 0.5)),
    )
    def begin(self, seed: int, places: int, sloppy: bool, random_address: bool, connect_delay: float) -> None:
        self.dispatcher = VirtualDispatcher()
        # The slower links come up, the more often two nodes dial each other.
        self.air = VirtualAir(self.dispatcher, seed=seed, advertising_interval=0.5, connect_delay=connect_delay)
        kind = AddressType.RANDOM if random_address else AddressType.PUBLIC
        make = SloppyMockDriver if sloppy else MockBLEDriver
        self.hub = Station(make(self.air, address_type=kind, address="80:00:00:00:00:00"), HUB, places)
        self.peers: list[Station] = []
        self.sent: Counter[tuple[bytes, bytes, bytes]] = Counter()  # sender, receiver, packet
        self.number = 0
        self.hub.switch(True)

    # --- what happens -------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.peers) < 5)
    @rule(
        low=st.booleans(),
        mtu=st.sampled_from((23, 100, 517)),
        private=st.booleans(),
        sloppy=st.booleans(),
        slots=st.sampled_from((None, None, 1)),
    )
    def a_peer_comes(self, low: bool, mtu: int, private: bool, sloppy: bool, slots: int | None) -> None:
        number = len(self.peers)
        make = SloppyMockDriver if sloppy else MockBLEDriver
        driver = make(
            self.air,
            address=f"{'10' if low else 'A0'}:00:00:00:00:{number:02X}",
            address_type=AddressType.RANDOM if private else AddressType.PUBLIC,
            dials_as=f"{'11' if low else 'A1'}:00:00:00:00:{number:02X}" if private else None,
            mtu=mtu,
            slots=slots,
        )
        # As many places as there can be links: hub, peers, and each of them once more while two links are one too many.
        station = Station(driver, f"peer {number}".encode().ljust(16, b"."), 7)
        self.peers.append(station)
        station.switch(True)

    @precondition(lambda self: self.peers)
    @rule(data=st.data())
    def a_peer_is_switched(self, data: st.DataObject) -> None:
        station = data.draw(st.sampled_from(self.peers))
        station.switch(not station.on)

    @precondition(lambda self: self.peers)
    @rule(data=st.data())
    def a_peer_vanishes(self, data: st.DataObject) -> None:
        station = data.draw(st.sampled_from(self.peers))
        if station.on:
            station.driver.vanish()
            self.dispatcher.run_for(data.draw(st.sampled_from((0.0, 0.2, 1.0))))
            station.switch(False)

    @precondition(lambda self: self.peers)
    @rule(data=st.data())
    def an_address_rotates(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from([*self.peers, self.hub])).driver.rotate()

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), seconds=st.floats(0.1, 120))
    def a_sender_stalls(self, data: st.DataObject, seconds: float) -> None:
        data.draw(st.sampled_from([*self.peers, self.hub])).driver.stall(seconds)

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), sizes=st.lists(st.integers(8, MAX_PACKET), min_size=1, max_size=8), to_hub=st.booleans())
    def packets_are_sent(self, data: st.DataObject, sizes: list[int], to_hub: bool) -> None:
        station = data.draw(st.sampled_from(self.peers))
        source, sink = (station, self.hub) if to_hub else (self.hub, station)
        for size in sizes:
            self.number += 1
            packet = self.number.to_bytes(4, "big") * (size // 4)
            if source.send(sink.identity, packet):
                self.sent[source.identity, sink.identity, packet] += 1

    @rule(fault=st.sampled_from(Fault), step=st.sampled_from(Step), probability=st.sampled_from((0.3, 1.0)))
    def something_goes_wrong(self, fault: Fault, step: Step, probability: float) -> None:
        self.air.faults.add(fault, step, probability=probability)

    @rule()
    def nothing_goes_wrong(self) -> None:
        self.air.faults.clear()

    @rule(copies=st.sampled_from((1, 2, 50)))
    def advertisements_are_repeated(self, copies: int) -> None:
        self.air.advertisement_copies = copies

    @rule(seconds=st.sampled_from((0.01, 0.1, 1.0, 1.0, 5.0, 20.0, 50.0)))
    def time_passes(self, seconds: float) -> None:
        self.dispatcher.run_for(seconds)

    @rule(data=st.data())
    def callbacks_come_that_nobody_asked_for(self, data: st.DataObject) -> None:
        driver = self.hub.driver
        known = [link.address for link in self.node.table.links.values()]
        address = data.draw(st.sampled_from([*sorted(known), "00:00:00:00:00:99"]))
        for callback, args in (
            (driver.on_device_discovered, (BLEDevice(address, None, -50),)),
            (driver.on_device_connected, (address, data.draw(st.sampled_from((0, 23, 517, 9999))))),
            (driver.on_connection_failed, (address, ConnectCancelledError("late"))),
            (driver.on_mtu_changed, (address, self.mtu_of(address))),
            (driver.on_send_ready, (address,)),
        ):
            if callback is not None and data.draw(st.booleans()):
                callback(*args)
        self.dispatcher.run_for(0.001)

    def mtu_of(self, address: str) -> int:
        link = self.hub.driver._links.get(address)
        return link.mtu if link is not None else 9999

    # --- the hostile node ---------------------------------------------------------------------------------------------

    @rule(
        data=st.data(),
        advertises=st.booleans(),
        noise=st.lists(st.binary(max_size=520), max_size=20),
        wait=st.sampled_from((0.1, 0.7)),
        stays=st.sampled_from((0.1, 16.0)),
    )
    def somebody_means_harm(
        self, data: st.DataObject, advertises: bool, noise: list[bytes], wait: float, stays: float
    ) -> None:
        """It claims to be a peer that is linked, as central or as peripheral, and sends packets in its name."""
        before = {peer.identity: peer.link for peer in self.hub.interface.peers}
        hostile = HostileNode(self.air, address=HOSTILE)
        hostile.told = data.draw(st.sampled_from((None, b"short", HUB, *sorted(before))))
        service = self.hub.interface.settings.service_uuid
        hostile.start(service, *(service[:-1] + end for end in "546"))
        if advertises:
            hostile.start_advertising()
        else:
            hostile.connect(self.hub.driver.address)
        self.dispatcher.run_for(wait)
        frames = [HUB, b"\x01\x00\x00\x00\x01forged", b"\x01\x00\x00\x00\x02half", b"\x04\x01", *noise]
        for frame in [*before, *data.draw(st.permutations(frames))]:
            hostile.write(self.hub.driver.address, frame)
        self.dispatcher.run_for(stays)
        for peer in self.hub.interface.peers:
            if peer.link is before.get(peer.identity):
                # Without a link anybody may be anybody; this one has had its link all the time.
                assert peer.identity not in self.hub.forged
        hostile.stop()
        self.hub.forged.clear()

    @precondition(lambda self: self.hub.interface.peers)
    @rule(data=st.data(), silence=st.sampled_from((30.0, 44.0, 46.0, 60.0)))
    def a_peer_falls_silent_and_somebody_claims_to_be_it(self, data: st.DataObject, silence: float) -> None:
        """Its link stays up, and is lost to the claim after 45 s, not before."""
        peer = data.draw(st.sampled_from(self.hub.interface.peers))
        for station in self.peers:
            if station.identity == peer.identity and type(station.driver) is MockBLEDriver:
                station.driver.stall(silence + 30)
        link = peer.link
        self.dispatcher.run_for(silence)
        claim = MockBLEDriver(self.air, address=HOSTILE)
        service = self.hub.interface.settings.service_uuid
        claim.start(service, *(service[:-1] + end for end in "546"))
        claim.connect(self.hub.driver.address)
        self.dispatcher.run_for(1.0)
        up = self.node.table.links.get(HOSTILE)
        if up is not None and up.state is ConnectionState.UNKNOWN and peer.online and peer.link is link:
            quiet = self.dispatcher.time() - link.heard
            claim.send(self.hub.driver.address, peer.identity)
            self.dispatcher.run_for(0.05)
            if peer.online:
                steps["claims of a silent peer"] += 1
                assert (peer.link is link) == (quiet < 45.0)
        claim.stop()

    # --- what must hold after every step ------------------------------------------------------------------------------

    @property
    def node(self) -> Node:
        assert self.hub.interface._node is not None
        return self.hub.interface._node

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
            assert link.reassembler.size <= MAX_PACKET
        for peer in self.hub.interface.peers:
            assert peer.waiting <= OUTBOX

    @invariant()
    def what_arrives_was_sent_by_that_identity_whole_and_once(self) -> None:
        for station in (self.hub, *self.peers):
            for (source, packet), times in Counter(station.got).items():
                assert times <= self.sent[source, station.identity, packet], (source, packet[:8])

    # --- and in the end -----------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self.peace()
            for station in (self.hub, *self.peers):
                if station.on:
                    station.switch(False)
        finally:
            self.dispatcher.close()

    def peace(self) -> None:
        """Nothing goes wrong any more: all find each other, and stay."""
        self.air.faults.clear()
        self.air.advertisement_copies = 1
        for station in (self.hub, *self.peers):
            station.driver.stall(0.0)
            if isinstance(station.driver, SloppyMockDriver):
                station.driver.sloppiness = 0.0
            station.driver._slots = None
            if not station.on:
                station.switch(True)
        self.dispatcher.run_for(RECOVERY)
        self.all_are_linked()
        changes = self.hub.changes
        self.dispatcher.run_for(RECOVERY)
        self.all_are_linked()
        if len(self.peers) <= self.hub.interface.settings.max_connections:
            assert self.hub.changes == changes
        for identity in self.hub.peers:
            (peer,) = [peer for peer in self.peers if peer.identity == identity]
            packet = b"at last " + identity
            assert peer.send(HUB, packet)
            self.sent[identity, HUB, packet] += 1
        self.dispatcher.run_for(5)
        assert {packet for _, packet in self.hub.got} >= {b"at last " + identity for identity in self.hub.peers}
        self.what_arrives_was_sent_by_that_identity_whole_and_once()

    def all_are_linked(self) -> None:
        places = self.hub.interface.settings.max_connections
        everybody = {peer.identity for peer in self.peers}
        assert self.hub.peers <= everybody
        assert len(self.hub.peers) == min(places, len(everybody)), self.hub.interface.get_status()
        for peer in self.peers:
            assert peer.peers >= everybody - {peer.identity}
            assert (HUB in peer.peers) == (peer.identity in self.hub.peers)


@pytest.fixture(autouse=True)
def _count() -> Iterator[None]:
    yield
    print(dict(steps))  # noqa: T201 - asked for by a long run


def test_the_mesh() -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Mesh,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=checks
        ),
    )
