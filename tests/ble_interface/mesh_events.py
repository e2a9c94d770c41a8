"""What may happen to the random air of `test_mesh_machine`: one rule for each thing."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ble_driver import AddressType, BLEDevice, ConnectCancelledError, VirtualDispatcher
from ble_interface.node import Node
from ble_interface.states import ConnectionState
from drivers.mock_ble_driver import Fault, HostileNode, MockBLEDriver, SloppyMockDriver, Step, VirtualAir

from .nodes import CHARACTERISTICS
from .stations import HOSTILE, MAX_PACKET, Station

HUB = b"the hub........."
#: What was done, for whoever wants to know after a long run.
steps: Counter[str] = Counter()


class MeshEvents(RuleBasedStateMachine):
    """The air, the hub, and what happens to them."""

    @initialize(
        seed=st.integers(0, 1 << 16),
        places=st.integers(1, 5),
        sloppy=st.booleans(),
        random_address=st.booleans(),
        connect_delay=st.sampled_from((0.05, 0.5)),
        loss=st.sampled_from((0.0, 0.0, 0.2)),
    )
    def begin(
        self, seed: int, places: int, sloppy: bool, random_address: bool, connect_delay: float, loss: float
    ) -> None:
        self.dispatcher = VirtualDispatcher()
        # The slower links come up, the more often two nodes dial each other.
        self.air = VirtualAir(
            self.dispatcher, seed=seed, advertising_interval=0.5, connect_delay=connect_delay,
            connection_interval=0.03 if loss else 0.0, loss=loss,
        )  # fmt: skip
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
    @rule(data=st.data(), metres=st.sampled_from((0.0, 20.0, 1000.0)))
    def a_node_moves(self, data: st.DataObject, metres: float) -> None:
        data.draw(st.sampled_from([*self.peers, self.hub])).driver.move((metres, 0.0))

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
        hostile.start(service, *CHARACTERISTICS)
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
        claim.start(service, *CHARACTERISTICS)
        claim.connect(self.hub.driver.address)
        self.dispatcher.run_for(1.0)
        up = self.node.table.links.get(HOSTILE)
        claims = (
            up is not None and up.state is ConnectionState.UNKNOWN and self.hub.driver.address in claim.connected_peers
        )
        if up is not None and claims and peer.online and peer.link is link:
            heard = link.heard
            claim.send(self.hub.driver.address, peer.identity)
            self.dispatcher.run_until(
                lambda: up.state is not ConnectionState.UNKNOWN, 2.0
            )  # it may have to be repeated
            said = up.state not in (ConnectionState.UNKNOWN, ConnectionState.GONE)  # and was not cut off before it came
            if peer.online and link.heard == heard and said:
                steps["claims of a silent peer"] += 1
                assert (peer.link is link) == (up.since - heard < 45.0)
        claim.stop()

    @property
    def node(self) -> Node:
        assert self.hub.interface._node is not None
        return self.hub.interface._node
