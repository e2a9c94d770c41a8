"""A radio that goes away, and one that is not there yet."""

from __future__ import annotations

import pytest

from ble_driver import DriverState, RadioError
from ble_testing.contract.node import ABSENT
from ble_testing.contract.rig import Rig

#: Seconds within which a driver looks for its radio again.
RETRY = 30.0


def test_a_radio_that_goes_away_takes_its_links_and_comes_back_to_what_it_did(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    alice.driver.start_scanning()
    alice.driver.start_advertising()
    both = DriverState.SCANNING | DriverState.ADVERTISING
    rig.wait(lambda: alice.driver.state == both)
    rig.radio_off(alice)
    rig.wait(lambda: alice.of("disconnected") and alice.of("error") and bob.of("disconnected"))
    assert isinstance(alice.errors()[0], RadioError)
    assert alice.driver.connected_peers == []
    assert alice.driver.state is DriverState.IDLE
    rig.radio_on(alice)
    rig.wait(lambda: alice.driver.state == both, timeout=RETRY)
    rig.wait(lambda: bob.driver.state is DriverState.ADVERTISING, timeout=RETRY)
    alice.driver.connect(bob.address)
    rig.wait(lambda: len(alice.of("connected")) == len(bob.of("connected")) == 2)
    assert len(alice.of("disconnected")) == len(bob.of("disconnected")) == 1


def test_a_radio_that_is_not_there_is_complained_of_once_and_looked_for(rig: Rig) -> None:
    alice = rig.node(start=False)
    rig.radio_off(alice)
    alice.start()
    alice.driver.start_scanning()
    rig.wait(lambda: alice.of("error"))
    rig.settle(2.0)
    assert [type(error) for error in alice.errors()] == [RadioError]
    assert alice.driver.state is DriverState.IDLE
    rig.radio_on(alice)
    rig.wait(lambda: alice.driver.state is DriverState.SCANNING, timeout=RETRY)
    bob = rig.node()
    bob.driver.start_advertising()
    rig.wait(lambda: bob.address in alice.devices())


def test_an_attempt_without_a_radio_ends_in_time(rig: Rig) -> None:
    alice = rig.node(start=False, connect_timeout=0.5)
    rig.radio_off(alice)
    alice.start()
    alice.driver.connect(ABSENT)
    rig.wait(lambda: alice.of("failed"))
    assert alice.driver.connecting_peers == []


def test_stop_is_quick_without_a_radio(rig: Rig) -> None:
    alice = rig.node(start=False)
    rig.radio_off(alice)
    alice.start()
    alice.driver.start_scanning()
    alice.driver.start_advertising()
    alice.driver.connect(ABSENT)
    rig.wait(lambda: alice.of("error"))
    begun = rig.time()
    alice.stop()
    assert rig.time() - begun < 5.0
    assert alice.driver.connecting_peers == []
    assert alice.of("failed") == []


@pytest.mark.parametrize("during", ["an attempt", "a link"])
def test_a_radio_that_goes_away_leaves_no_attempt_and_no_link(rig: Rig, during: str) -> None:
    alice, bob = rig.node(connect_timeout=1.0), rig.node()
    if during == "a link":
        rig.link(alice, bob)
    else:
        alice.driver.connect(ABSENT)
    rig.radio_off(alice)
    rig.wait(lambda: alice.of("disconnected") or alice.of("failed"))
    rig.settle(1.2)
    assert alice.kinds("connected", "error") == [("failed" if during == "an attempt" else "disconnected")]
    assert alice.driver.connecting_peers == alice.driver.connected_peers == []
