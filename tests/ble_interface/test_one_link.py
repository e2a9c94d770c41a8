"""One link per identity, seen from the stack above: two radios, real interfaces, virtual time."""

from __future__ import annotations

import itertools
import json

import pytest

from ble_driver import AddressType, BLEDevice, Role
from ble_interface import ConnectionState, Fragmenter
from drivers.mock_ble_driver import HostileNode, MockBLEDriver, SloppyMockDriver

from .nodes import Stack, World, a_world


def a_radio(world: World) -> MockBLEDriver:
    """Return a started radio that keeps to no protocol by itself."""
    radio = MockBLEDriver(world.air)
    radio.set_identity(b"a bare radio, 16")
    service = world.stacks[0].interface.settings.service_uuid
    radio.start(service, *(service[:-1] + end for end in "546"))
    return radio


def dial(world: World, radio: MockBLEDriver, target: Stack) -> None:
    """Link a bare radio to a stack."""
    radio.connect(target.driver.address)
    world.wait(lambda: target.driver.address in radio.connected_peers)


def states(stack: Stack) -> dict[str, int]:
    return stack.interface.get_status()["links"]


# --- both dial --------------------------------------------------------------------------------------------------------


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


# --- claims -----------------------------------------------------------------------------------------------------------


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
    hostile.start(service, *(service[:-1] + end for end in "546"))
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


# --- places -----------------------------------------------------------------------------------------------------------


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
    near: list[MockBLEDriver] = []
    world.air.rssi = lambda sender, receiver: -45 if sender in near else -90  # type: ignore[method-assign]
    hub = world.stack("hub", max_connections=1, evict_worst=evict)
    far = world.stack("far")
    world.wait(lambda: hub.linked_to(far))
    better = world.stack("better")
    near.append(better.driver)
    world.run_for(50)
    assert hub.linked_to(far)
    world.run_for(40)
    assert hub.linked_to(better) is evict
    world.run_for(300)
    assert hub.linked_to(better) is evict
    assert len(hub.news) == (3 if evict else 1)  # no to and fro


def test_one_better_peer_takes_one_place(world: World) -> None:
    near: list[MockBLEDriver] = []
    world.air.rssi = lambda sender, receiver: -45 if sender in near else -90  # type: ignore[method-assign]
    world.air.advertisement_copies = 20  # so that it is heard again before its place is free
    hub = world.stack("hub", max_connections=2, evict_worst=True)
    far = [world.stack(name) for name in ("far", "farther")]
    world.wait(lambda: all(hub.linked_to(stack) for stack in far))
    world.run_for(70)
    better = world.stack("better")
    near.append(better.driver)
    world.run_for(120)
    assert hub.linked_to(better)
    assert len(hub.news) == 4


def test_a_peer_that_never_dials_is_dialled_by_the_higher_address_too(world: World) -> None:
    high = world.stack("high", driver={"address": "F0:00:00:00:00:00"})
    shy = MockBLEDriver(world.air, manufacturer_data=((0xFFFF, b"\x03\x01"),))
    shy.set_identity(b"a bare radio, 16")
    service = high.interface.settings.service_uuid
    shy.start(service, *(service[:-1] + end for end in "546"))
    shy.start_advertising()
    world.wait(lambda: high.interface.peers, timeout=2)
    shy.stop()


# --- peers beside each other ------------------------------------------------------------------------------------------


def test_a_slow_peer_delays_no_other(world: World) -> None:
    hub, slow, quick = world.stack("hub"), world.stack("slow"), world.stack("quick")
    world.wait(lambda: hub.linked_to(slow) and hub.linked_to(quick))
    world.run_for(1)
    held = hub.driver._links[hub.peer(slow).address]
    transmit = hub.driver._transmit

    async def crawl(link: object, frame: bytes, acknowledged: bool) -> None:
        if link is held:
            await world.dispatcher.loop.create_future()
        await transmit(link, frame, acknowledged)  # type: ignore[arg-type]

    hub.driver._transmit = crawl  # type: ignore[method-assign]
    for n in range(200):
        hub.peer(slow).process_outgoing(bytes(1000))
        hub.peer(quick).process_outgoing(n.to_bytes(2, "big") * 100)
        world.run_for(0.01)
    world.run_for(0.1)
    assert len(quick.received) == 200
    assert hub.peer(slow).outbox_dropped > 0
    assert hub.peer(slow).waiting <= 65_536


def test_a_driver_that_tells_things_twice_and_late_costs_nothing_but_time(world: World) -> None:
    stacks = [world.stack(name) for name in ("alice", "bob")]
    sloppy = SloppyMockDriver(world.air, sloppiness=0.7)
    carol = Stack.__new__(Stack)
    carol.__init__(world.air, "carol", {}, {})  # type: ignore[misc]
    carol.driver = sloppy
    carol.interface.driver = sloppy
    carol.interface.start(carol.identity)
    for _ in range(10):
        world.run_for(30)
        assert len(carol.interface.peers) <= 2
        kinds = [kind for kind, peer in carol.news if peer.identity == stacks[0].identity]
        assert all(first != second for first, second in itertools.pairwise(kinds))
    sloppy.sloppiness = 0.0
    world.wait(lambda: all(carol.linked_to(stack) and stack.linked_to(carol) for stack in stacks))
    carol.interface.stop()


def test_a_driver_that_never_says_what_became_of_a_link_is_not_believed(world: World) -> None:
    alice, bob = world.pair()
    alice.driver.on_device_disconnected = None
    node = alice.interface._node
    assert node is not None
    bob.interface.stop()
    world.run_for(1)
    peer = alice.peer(bob)
    node._perform(node.table.end(peer.link, "a test", world.dispatcher.time()))
    assert states(alice) == {"closing": 1}
    world.run_for(16)
    assert "closing" not in states(alice)
    node.table.dial("00:00:00:00:00:99", world.dispatcher.time())
    node._perform([])
    world.run_for(16)
    assert "dialling" not in states(alice)


# --- status -----------------------------------------------------------------------------------------------------------


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


# --- drivers that do not keep the contract ----------------------------------------------------------------------------


def test_callbacks_from_elsewhere_are_brought_to_the_dispatcher(world: World) -> None:
    alice, bob = world.stack("alice"), world.stack("bob", start=False)
    assert alice.interface._node is not None
    heard = alice.interface._node.dialing._heard
    assert alice.driver.on_device_discovered is not None
    alice.driver.on_device_discovered(BLEDevice(bob.driver.address, None, -50))  # nobody drives the dispatcher now
    assert heard == {}
    world.run_for(0.01)
    assert list(heard) == [bob.driver.address]


def test_callbacks_after_the_end_do_nothing(world: World) -> None:
    alice, bob = world.pair()
    node = alice.interface._node
    assert node is not None
    data, discovered = alice.driver.on_data_received, alice.driver.on_device_discovered
    assert data is not None
    assert discovered is not None
    alice.interface.stop()
    news, before = list(alice.news), dict(alice.interface.dropped)
    data(bob.driver.address, b"\x01\x00\x00\x00\x01late")
    discovered(BLEDevice("00:00:00:00:00:99", None, -50))
    world.run_for(20)
    assert (alice.news, alice.received, alice.interface.dropped) == (news, [], before)
    assert "00:00:00:00:00:99" not in node.dialing._heard


@pytest.mark.parametrize("nonsense", [0, 9999])
def test_an_mtu_that_cannot_be_costs_no_packet(world: World, nonsense: int) -> None:
    alice, bob = world.stack("alice", driver={"mtu": 100}), world.stack("bob")
    world.wait(lambda: alice.linked_to(bob) and bob.linked_to(alice))
    peer = alice.peer(bob)
    assert alice.driver.on_mtu_changed is not None
    alice.driver.on_mtu_changed(peer.address, nonsense)
    world.run_for(0.01)
    assert peer.mtu == (23 if nonsense == 0 else 517)
    for n in range(3):
        peer.process_outgoing(bytes([n]) * 1000)
    world.run_for(5)
    assert len(bob.received) == (3 if nonsense == 0 else 0)  # the driver refuses frames that are too long
    alice.driver.on_mtu_changed(peer.address, 100)
    world.run_for(5)
    assert bob.packets == [bytes([n]) * 1000 for n in range(3)]


def test_a_link_that_only_the_driver_knows_of_is_ended_when_it_speaks(world: World) -> None:
    alice = world.stack("alice")
    radio = a_radio(world)
    connected, alice.driver.on_device_connected = alice.driver.on_device_connected, None  # it forgets to tell of it
    dial(world, radio, alice)
    alice.driver.on_device_connected = connected
    radio.send(alice.driver.address, b"a bare radio, 16")
    world.wait(lambda: not radio.connected_peers, timeout=1)
    assert alice.interface.dropped == {"no_link": 1}
    dial(world, radio, alice)
    radio.send(alice.driver.address, b"a bare radio, 16")
    world.wait(lambda: alice.interface.peers, timeout=1)
    radio.stop()


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
