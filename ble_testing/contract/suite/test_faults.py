"""What goes wrong while a link is set up: a refusal, a silence, a break, at every step."""

from __future__ import annotations

from typing import Any

import pytest

from ble_driver import ConnectTimeoutError
from ble_testing.contract.rig import FaultName, Rig, StepName

FAULTS: tuple[FaultName, ...] = ("refuse", "hang", "drop")
#: The steps after which the central reports the link.
SET_UP: tuple[StepName, ...] = ("connect", "mtu", "discovery", "identity", "subscribe")
#: Seconds that an attempt gets which is to time out, and within which one that is not to must succeed.
TIMEOUT = 2.0


@pytest.mark.parametrize("step", SET_UP)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_the_attempt_once_and_leaves_nothing(rig: Rig, fault: FaultName, step: StepName) -> None:
    options: dict[str, Any] = {"connect_timeout": TIMEOUT} if fault == "hang" else {}
    alice, bob = rig.node(**options), rig.node()
    rig.strike(fault, step, bob)
    bob.driver.start_advertising()
    alice.driver.connect(bob.address)
    begun = rig.time()
    rig.wait(lambda: alice.of("failed"))
    assert rig.time() - begun < (TIMEOUT + 2.0) * rig.patience
    assert isinstance(alice.failures()[0], ConnectTimeoutError) == (fault == "hang")
    assert alice.driver.connecting_peers == alice.driver.connected_peers == []
    rig.wait(lambda: not bob.driver.connected_peers)  # it does not keep the half of a link
    rig.heal()
    alice.driver.connect(bob.address)
    rig.wait(lambda: alice.met(bob) and bob.driver.connected_peers == [alice.address])
    rig.settle(0.2)
    assert alice.kinds() == ["failed", "connected"]
    assert alice.driver.connected_peers == [bob.address]
    alice.driver.send(bob.address, b"all is well")
    rig.wait(lambda: bob.data(alice.address) == [b"all is well"])


@pytest.mark.parametrize("fault", ["refuse", "drop"])
def test_a_link_that_fails_at_its_first_frame_is_reported_as_gone(rig: Rig, fault: FaultName) -> None:
    alice, bob = rig.node(), rig.node()
    rig.strike(fault, "handshake", bob)
    rig.link(alice, bob)
    alice.driver.send(bob.address, b"hello")
    rig.wait(lambda: alice.of("disconnected") and bob.of("disconnected"))
    assert alice.kinds() == bob.kinds() == ["connected", "disconnected"]
    rig.heal()
    alice.driver.connect(bob.address)
    rig.wait(lambda: len(alice.of("connected")) == len(bob.of("connected")) == 2)


def test_a_first_frame_that_hangs_holds_up_nobody_else(rig: Rig) -> None:
    alice, bob, carol = rig.node(), rig.node(), rig.node()
    rig.strike("hang", "handshake", bob)
    rig.link(alice, bob)
    rig.link(alice, carol)
    alice.driver.send(bob.address, b"hello")
    alice.driver.send(carol.address, b"hello")
    rig.wait(lambda: carol.data(alice.address) == [b"hello"])
    assert bob.of("data") == []
    alice.driver.disconnect(bob.address)
    rig.wait(lambda: alice.of("disconnected") and bob.of("disconnected"))
    assert alice.driver.connected_peers == [carol.address]


@pytest.mark.parametrize("step", [*SET_UP, "handshake"])
def test_stop_is_quick_whatever_hangs(rig: Rig, step: StepName) -> None:
    alice, bob = rig.node(), rig.node()
    rig.strike("hang", step, bob)
    if step == "handshake":
        rig.link(alice, bob)
        alice.driver.send(bob.address, b"hello")
    else:
        bob.driver.start_advertising()
        alice.driver.connect(bob.address)
    rig.settle(0.3)
    begun = rig.time()
    alice.stop()
    assert rig.time() - begun < 5.0
    assert alice.driver.connecting_peers == alice.driver.connected_peers == []
    assert alice.of("failed") == []
    rig.wait(lambda: not bob.driver.connected_peers)
    rig.heal()
    alice.start()
    rig.wait(lambda: alice.driver.local_address is not None)
    seen = len(alice.of("connected"))
    alice.driver.connect(bob.address)
    rig.wait(lambda: len(alice.of("connected")) == seen + 1)


@pytest.mark.parametrize("step", SET_UP)
def test_an_attempt_that_hangs_can_be_given_up(rig: Rig, step: StepName) -> None:
    alice, bob = rig.node(), rig.node()
    rig.strike("hang", step, bob)
    bob.driver.start_advertising()
    alice.driver.connect(bob.address)
    rig.settle(0.3)
    alice.driver.disconnect(bob.address)
    rig.wait(lambda: alice.of("failed"), timeout=5.0)
    rig.settle(0.2)
    assert alice.kinds() == ["failed"]
    assert alice.driver.connecting_peers == []
    rig.wait(lambda: not bob.driver.connected_peers)
