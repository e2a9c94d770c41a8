"""Links: set up once, reported once, gone once."""

from __future__ import annotations

import threading

import pytest

from ble_driver import (
    BLEDevice,
    ConnectCancelledError,
    ConnectTimeoutError,
    DriverState,
    DriverStateError,
    FrameTooLargeError,
    InvalidAddressError,
    NotOurServiceError,
    OwnIdentityError,
    Role,
)
from ble_testing.contract.node import ABSENT, UUIDS
from ble_testing.contract.rig import Rig


def test_a_link_is_reported_to_both_ends(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    mtu = alice.mtu(bob)
    assert rig.mtu in (None, mtu)
    assert alice.of("connected") == [[bob.address, mtu]]
    assert bob.of("connected") == [[alice.address, mtu]]
    assert alice.driver.connected_peers == [bob.address]
    assert bob.driver.connected_peers == [alice.address]
    assert alice.driver.connecting_peers == bob.driver.connecting_peers == []
    assert (alice.driver.peer_role(bob.address), bob.driver.peer_role(alice.address)) == (Role.CENTRAL, Role.PERIPHERAL)
    assert alice.driver.peer_identity(bob.address) == bob.identity
    assert bob.driver.peer_identity(alice.address) is None


def test_addresses_may_be_spelt_differently(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    bob.driver.start_advertising()
    alice.driver.connect(bob.address.lower().replace(":", "-"))
    rig.wait(lambda: alice.of("connected"))
    alice.driver.send(bob.address.lower(), b"x")
    assert alice.driver.peer_role(bob.address.lower()) is Role.CENTRAL
    rig.wait(lambda: bob.data(alice.address) == [b"x"])


@pytest.mark.parametrize("ender", ["central", "peripheral"])
def test_either_end_can_end_a_link_and_dial_again(rig: Rig, ender: str) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    for _ in range(3):
        if ender == "central":
            alice.driver.disconnect(bob.address)
        else:
            bob.driver.disconnect(alice.address)
        rig.wait(lambda: not alice.driver.connected_peers and not bob.driver.connected_peers)
        before = len(alice.of("connected"))
        alice.driver.connect(bob.address)
        rig.wait(lambda n=before: len(alice.of("connected")) == len(bob.of("connected")) == n + 1)  # type: ignore[misc]
    rig.settle(0.2)
    assert [len(node.of("disconnected")) for node in (alice, bob)] == [3, 3]
    kinds = alice.kinds()
    assert kinds == ["connected"] + 3 * ["disconnected", "connected"]


def test_connect_is_a_no_op_while_connecting_or_connected(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    bob.driver.start_advertising()

    def insist() -> None:
        for _ in range(200):
            alice.driver.connect(bob.address)

    threads = [threading.Thread(target=insist) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rig.wait(lambda: alice.of("connected"))
    insist()
    rig.settle(0.3)
    assert len(alice.of("connected")) == len(bob.of("connected")) == 1
    assert alice.of("failed") == []
    assert alice.driver.connecting_peers == []


def test_two_nodes_that_dial_each_other_get_one_link(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    for node in (alice, bob):
        node.driver.start_advertising()
        node.driver.start_scanning()
    rig.wait(lambda: alice.devices() and bob.devices())
    alice.driver.connect(bob.address)
    bob.driver.connect(alice.address)
    rig.wait(lambda: alice.of("connected") and bob.of("connected"))
    rig.settle(0.5)
    assert len(alice.of("connected")) == len(bob.of("connected")) == 1
    assert alice.of("disconnected") == bob.of("disconnected") == []
    assert alice.driver.connecting_peers == bob.driver.connecting_peers == []
    assert {alice.driver.peer_role(bob.address), bob.driver.peer_role(alice.address)} == set(Role)


def test_an_attempt_that_the_peer_forestalled_is_taken_back(rig: Rig) -> None:
    """Its time-out, seconds later, would take the good link down (PROTOCOL.md, BlueZ facts)."""
    alice, bob, carol = rig.node(connect_timeout=3.0), rig.node(), rig.node()
    alice.driver.connect(bob.address)  # who cannot be heard yet
    rig.settle(0.2)
    rig.link(bob, alice)
    assert alice.driver.connecting_peers == []
    carol.driver.start_advertising()
    alice.driver.connect(carol.address)
    rig.wait(lambda: alice.met(carol), timeout=2.0)  # the radio is free
    bob.driver.start_advertising()
    rig.settle(3.2)
    assert sorted(alice.driver.connected_peers) == sorted([bob.address, carol.address])
    assert alice.kinds() == ["connected", "connected"]


def test_dialling_nobody_times_out_and_blocks_nothing(rig: Rig) -> None:
    alice, bob = rig.node(connect_timeout=1.0), rig.node()
    alice.driver.connect(ABSENT)
    assert alice.driver.connecting_peers == [ABSENT]
    rig.wait(lambda: alice.of("failed"))
    assert isinstance(alice.failures()[0], ConnectTimeoutError)
    assert alice.driver.connecting_peers == []
    rig.link(alice, bob)
    rig.settle(0.5)
    assert alice.kinds() == ["failed", "connected"]


def test_an_attempt_to_a_peer_behind_an_absent_one_succeeds(rig: Rig) -> None:
    alice, bob = rig.node(connect_timeout=1.0), rig.node()
    bob.driver.start_advertising()
    alice.driver.connect(ABSENT)
    alice.driver.connect(bob.address)
    rig.wait(lambda: alice.of("failed"))
    rig.wait(lambda: alice.of("connected") or len(alice.of("failed")) == 2)
    if not alice.of("connected"):  # radios that dial one at a time may run out of time behind the absent peer
        alice.driver.connect(bob.address)
    rig.wait(lambda: alice.driver.connected_peers == [bob.address])
    assert alice.driver.connecting_peers == []


def test_an_attempt_can_be_given_up(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    alice.driver.connect(ABSENT)
    rig.settle(0.1)
    alice.driver.disconnect(ABSENT)
    rig.wait(lambda: alice.of("failed"))
    assert isinstance(alice.failures()[0], ConnectCancelledError)
    alice.driver.connect(ABSENT)
    alice.driver.disconnect(ABSENT)  # before it has begun
    rig.wait(lambda: len(alice.of("failed")) == 2)
    assert alice.driver.connecting_peers == []
    rig.link(alice, bob)


def test_a_peer_without_identity_refuses_and_is_welcome_later(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node(anonymous=True)
    bob.driver.start_advertising()
    alice.driver.connect(bob.address)
    rig.wait(lambda: alice.of("failed"))
    assert isinstance(alice.failures()[0], NotOurServiceError)
    bob.driver.set_identity(bob.identity)
    rig.wait(lambda: not bob.driver.connected_peers)
    alice.driver.connect(bob.address)
    rig.wait(lambda: alice.of("connected"))
    assert alice.driver.peer_identity(bob.address) == bob.identity


def test_a_copy_of_ourselves_is_refused(rig: Rig) -> None:
    alice, clone = rig.node(identity=b"A" * 16), rig.node(identity=b"A" * 16)
    clone.driver.start_advertising()
    alice.driver.connect(clone.address)
    rig.wait(lambda: alice.of("failed"))
    assert isinstance(alice.failures()[0], OwnIdentityError)
    assert alice.driver.connected_peers == []


def test_a_peer_without_our_characteristics_is_refused(rig: Rig) -> None:
    alice, stranger = rig.node(), rig.node(start=False)
    stranger.start_with(UUIDS[0], UUIDS[1], "37145b00-442d-4a94-917f-8f42c5da28ff", UUIDS[3])
    stranger.driver.start_advertising()
    rig.wait(lambda: stranger.driver.local_address is not None)
    alice.driver.connect(stranger.address)
    rig.wait(lambda: alice.of("failed"))
    assert isinstance(alice.failures()[0], NotOurServiceError)


def test_a_peer_that_vanishes_is_noticed(rig: Rig) -> None:
    alice, bob, carol = rig.node(), rig.node(), rig.node()
    rig.link(alice, bob)
    rig.link(carol, alice)
    rig.vanish(bob)
    rig.wait(lambda: alice.of("disconnected"))
    assert alice.of("disconnected") == [[bob.address]]
    assert alice.driver.connected_peers == [carol.address]


def test_one_peripheral_keeps_several_centrals_apart(rig: Rig) -> None:
    hub, alice, bob = rig.node(), rig.node(), rig.node()
    hub.driver.start_advertising()
    for node in (alice, bob):
        node.driver.connect(hub.address)
    rig.wait(lambda: len(hub.driver.connected_peers) == 2 and alice.of("connected") and bob.of("connected"))
    hub.driver.send(alice.address, b"for alice")
    hub.driver.send(bob.address, b"for bob")
    alice.driver.send(hub.address, b"from alice")
    bob.driver.send(hub.address, b"from bob")
    rig.wait(lambda: len(hub.of("data")) == 2 and alice.of("data") and bob.of("data"))
    rig.settle(0.1)
    theirs = [[[hub.address, b"for alice"]], [[hub.address, b"for bob"]]]
    both = [[hub.address, b"for alice"], [hub.address, b"for bob"]]
    for node, own in zip((alice, bob), theirs, strict=True):
        assert node.of("data") == own or (rig.centrals_overhear and node.of("data") == both)
    assert (hub.data(alice.address), hub.data(bob.address)) == ([b"from alice"], [b"from bob"])
    alice.driver.disconnect(hub.address)
    rig.wait(lambda: hub.driver.connected_peers == [bob.address])


def test_a_discovery_storm_makes_one_attempt(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()

    def dial(device: BLEDevice) -> None:
        alice.driver.connect(device.address)

    alice.hooks["discovered"] = dial
    alice.driver.start_scanning()
    bob.driver.start_advertising()
    rig.wait(lambda: alice.of("connected"))
    rig.settle(0.5)
    assert len(alice.of("connected")) == len(bob.of("connected")) == 1
    assert alice.of("failed") == []


def test_bad_calls_are_refused(rig: Rig) -> None:
    node = rig.node()
    for address in ("", "AA:BB:CC:DD:EE", "AA:BB:CC:DD:EE:GG", "nobody", None, 42):
        with pytest.raises(InvalidAddressError, match="AA:BB:CC:DD:EE:FF"):
            node.driver.connect(address)  # type: ignore[arg-type]
        with pytest.raises(InvalidAddressError):
            node.driver.disconnect(address)  # type: ignore[arg-type]
    node.driver.disconnect(ABSENT)  # nobody is there: nothing to do
    assert node.driver.peer_role(ABSENT) is None
    assert node.driver.peer_identity(ABSENT) is None
    node.stop()
    with pytest.raises(DriverStateError):
        node.driver.connect(ABSENT)
    node.driver.disconnect(ABSENT)


def test_connect_is_a_no_op_on_a_link_that_the_peer_dialled(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    alice.driver.start_advertising()
    rig.link(alice, bob)
    for _ in range(20):
        bob.driver.connect(alice.address)
    assert bob.driver.connecting_peers == []
    rig.settle(0.5)
    assert alice.kinds() == bob.kinds() == ["connected"]


@pytest.mark.parametrize("enders", ["one", "both"])
def test_a_link_that_is_ended_many_times_ends_once(rig: Rig, enders: str) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)

    def end() -> None:
        for _ in range(50):
            alice.driver.disconnect(bob.address)
            if enders == "both":
                bob.driver.disconnect(alice.address)

    threads = [threading.Thread(target=end) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rig.wait(lambda: alice.of("disconnected") and bob.of("disconnected"))
    end()
    rig.settle(0.3)
    assert alice.kinds() == bob.kinds() == ["connected", "disconnected"]


def test_a_peer_that_does_not_advertise_takes_no_link(rig: Rig) -> None:
    alice, bob = rig.node(connect_timeout=0.5), rig.node()
    bob.driver.start_advertising()
    rig.wait(lambda: bob.driver.state is DriverState.ADVERTISING)
    bob.driver.stop_advertising()
    rig.wait(lambda: bob.driver.state is DriverState.IDLE)
    alice.driver.connect(bob.address)
    rig.wait(lambda: alice.of("failed"))
    assert isinstance(alice.failures()[0], ConnectTimeoutError)
    assert bob.events == []


def test_advertising_goes_on_after_a_link(rig: Rig) -> None:
    hub, alice, bob = rig.node(), rig.node(), rig.node()
    rig.link(alice, hub)
    bob.driver.start_scanning()
    rig.wait(lambda: hub.address in bob.devices())
    bob.driver.connect(hub.address)
    rig.wait(lambda: hub.met(bob) and bob.met(hub))
    assert DriverState.ADVERTISING in hub.driver.state
    assert sorted(hub.driver.connected_peers) == sorted([alice.address, bob.address])


def test_a_link_stays_when_scanning_and_advertising_end(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    alice.driver.start_scanning()
    rig.link(alice, bob)
    alice.driver.stop_scanning()
    bob.driver.stop_advertising()
    rig.wait(lambda: alice.driver.state is bob.driver.state is DriverState.IDLE)
    rig.settle(0.3)
    bob.driver.send(alice.address, b"still here")
    rig.wait(lambda: alice.data(bob.address) == [b"still here"])
    assert alice.kinds("discovered") == ["connected", "data"]


def test_several_attempts_at_once_succeed(rig: Rig) -> None:
    hub, alice, bob = rig.node(), rig.node(), rig.node()
    for node in (alice, bob):
        node.driver.start_advertising()
        hub.driver.connect(node.address)
    assert sorted(hub.driver.connecting_peers) == sorted([alice.address, bob.address])
    rig.wait(lambda: hub.met(alice) and hub.met(bob))
    assert hub.driver.connecting_peers == []
    assert hub.driver.peer_identity(alice.address) == alice.identity
    assert hub.driver.peer_identity(bob.address) == bob.identity


def test_a_new_mtu_is_told_and_bounds_frames(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    rig.change_mtu(alice, bob, 100)
    rig.wait(lambda: alice.of("mtu") and bob.of("mtu"))
    assert (alice.of("mtu"), bob.of("mtu")) == ([[bob.address, 100]], [[alice.address, 100]])
    for sender, receiver in ((alice, bob), (bob, alice)):
        with pytest.raises(FrameTooLargeError, match="97"):
            sender.driver.send(receiver.address, b"x" * 98)
        sender.driver.send(receiver.address, b"x" * 97)
    rig.wait(lambda: alice.data(bob.address) == bob.data(alice.address) == [b"x" * 97])
