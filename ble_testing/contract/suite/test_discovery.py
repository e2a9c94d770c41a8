"""Being found and finding."""

from __future__ import annotations

import pytest

from ble_driver import DriverState, DriverStateError, InvalidOptionError
from ble_testing.contract.node import UUIDS
from ble_testing.contract.rig import Rig


def test_a_scanner_hears_an_advertiser_and_only_while_both_are_on(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    alice.driver.start_scanning()
    bob.driver.start_advertising()
    rig.wait(lambda: bob.address in alice.devices())
    assert alice.address not in bob.devices()

    bob.driver.stop_advertising()
    rig.wait(lambda: bob.driver.state is DriverState.IDLE)
    rig.settle(0.1)
    heard = len(alice.of("discovered"))
    rig.settle(0.5)
    assert len(alice.of("discovered")) == heard

    bob.driver.start_advertising()
    rig.wait(lambda: len(alice.of("discovered")) > heard)
    alice.driver.stop_scanning()
    rig.wait(lambda: alice.driver.state is DriverState.IDLE)
    heard = len(alice.of("discovered"))
    rig.settle(0.5)
    assert len(alice.of("discovered")) == heard


def test_an_advertisement_tells_address_name_and_signal(rig: Rig) -> None:
    alice, bob, carol = rig.node(), rig.node(), rig.node()
    alice.driver.start_scanning()
    bob.driver.start_advertising("bob")
    carol.driver.start_advertising()
    rig.wait(lambda: {bob.address, carol.address} <= set(alice.devices()))
    rig.wait(lambda: alice.devices()[bob.address].name == "bob")  # a scan response may come later
    assert alice.devices()[carol.address].name is None
    rssi = alice.devices()[bob.address].rssi
    assert rssi is None or -127 < rssi < 0
    assert alice.devices()[bob.address].address_type == bob.driver.local_address_type


def test_a_new_name_is_advertised(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    alice.driver.start_scanning()
    for name in ("bob", "bobby"):
        bob.driver.start_advertising(name)
        rig.wait(lambda: bob.address in alice.devices() and alice.devices()[bob.address].name == name)  # noqa: B023
    bob.driver.start_advertising(None)
    rig.wait(lambda: alice.devices()[bob.address].name in ((None, "bobby") if rig.names_linger else (None,)))
    assert bob.driver.state == DriverState.ADVERTISING


def test_other_services_are_not_reported(rig: Rig) -> None:
    alice, stranger = rig.node(), rig.node(start=False)
    stranger.start_with("0000180f-0000-1000-8000-00805f9b34fb", *UUIDS[1:])
    alice.driver.start_scanning()
    stranger.driver.start_advertising()
    rig.wait(lambda: stranger.driver.state is DriverState.ADVERTISING)
    rig.settle(0.5)
    assert alice.of("discovered") == []


def test_state_says_what_the_radio_does(rig: Rig) -> None:
    node = rig.node(start=False)
    assert node.driver.state is DriverState.IDLE
    node.start()
    node.driver.start_scanning()
    node.driver.start_advertising()
    rig.wait(lambda: node.driver.state == DriverState.SCANNING | DriverState.ADVERTISING)
    node.driver.stop_scanning()
    rig.wait(lambda: node.driver.state is DriverState.ADVERTISING)
    node.stop()
    assert node.driver.state is DriverState.IDLE


def test_a_stopped_driver_neither_scans_nor_advertises(rig: Rig) -> None:
    driver = rig.node(start=False).driver
    for method in (driver.start_scanning, driver.stop_scanning, driver.start_advertising, driver.stop_advertising):
        with pytest.raises(DriverStateError):
            method()


def test_a_name_that_does_not_fit_is_refused(rig: Rig) -> None:
    node = rig.node()
    with pytest.raises(InvalidOptionError, match="8 bytes"):
        node.driver.start_advertising("ninebytes")
    node.driver.start_advertising("8 bytes!")


def test_what_is_so_already_may_be_asked_for_again(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    for node in (alice, bob):
        node.driver.stop_scanning()
        node.driver.stop_advertising()
    for _ in range(3):
        alice.driver.start_scanning()
        bob.driver.start_advertising()
    rig.wait(lambda: bob.address in alice.devices())
    alice.driver.stop_scanning()
    bob.driver.stop_advertising()
    rig.wait(lambda: alice.driver.state is bob.driver.state is DriverState.IDLE)
    assert alice.kinds("discovered") == bob.kinds() == []


def test_a_node_does_not_hear_itself(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    for node in (alice, bob):
        node.driver.start_advertising()
        node.driver.start_scanning()
    rig.wait(lambda: alice.devices() and bob.devices())
    rig.settle(0.5)
    assert list(alice.devices()) == [bob.address]
    assert list(bob.devices()) == [alice.address]


def test_an_empty_name_is_none(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    alice.driver.start_scanning()
    bob.driver.start_advertising("")
    rig.wait(lambda: bob.address in alice.devices())
    assert alice.devices()[bob.address].name is None


def test_scanning_goes_on_beside_a_link(rig: Rig) -> None:
    alice, bob, carol = rig.node(), rig.node(), rig.node()
    alice.driver.start_scanning()
    rig.link(alice, bob)
    carol.driver.start_advertising()
    rig.wait(lambda: carol.address in alice.devices())
    assert DriverState.SCANNING in alice.driver.state
