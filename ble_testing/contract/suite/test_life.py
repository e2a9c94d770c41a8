"""Starting, stopping, and callbacks that misbehave."""

from __future__ import annotations

import logging
import threading

import pytest

from ble_driver import (
    BLEDevice,
    DataTypeError,
    DriverState,
    DriverStateError,
    InvalidIdentityError,
    InvalidOptionError,
    InvalidUUIDError,
)

from ble_testing.contract.node import ABSENT, UUIDS
from ble_testing.contract.rig import Rig


def test_stop_reports_the_links_as_gone_and_nothing_after(rig: Rig) -> None:
    alice, bob, carol = rig.node(), rig.node(), rig.node()
    rig.link(alice, bob)
    rig.link(carol, alice)
    alice.driver.start_scanning()
    rig.wait(lambda: alice.of("discovered"))
    for node in (bob, carol):
        for _ in range(20):
            node.driver.send(alice.address, b"noise")
    alice.stop()
    seen = list(alice.events)
    assert sorted(alice.of("disconnected")) == sorted([[bob.address], [carol.address]])
    assert alice.driver.connected_peers == []
    assert alice.driver.state is DriverState.IDLE
    rig.wait(lambda: bob.of("disconnected") and carol.of("disconnected"))
    rig.settle(0.2)
    assert alice.events == seen
    assert len(bob.of("disconnected")) == len(carol.of("disconnected")) == 1


def test_stop_ends_an_attempt_without_a_report(rig: Rig) -> None:
    alice = rig.node()
    alice.driver.connect(ABSENT)
    rig.settle(0.1)
    alice.stop()
    assert alice.driver.connecting_peers == []
    rig.settle(0.2)
    assert alice.of("failed") == []


def test_stop_is_idempotent_quick_and_start_works_again(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    for _ in range(3):
        rig.link(alice, bob)
        begun = rig.time()
        stoppers = [
            threading.Thread(target=alice.stop) for _ in range(0 if rig.virtual else 3)
        ]
        for stopper in stoppers:
            stopper.start()
        alice.stop()
        for stopper in stoppers:
            stopper.join()
        alice.stop()
        assert rig.time() - begun < 5.0
        rig.wait(lambda: not bob.driver.connected_peers)
        alice.events.clear()
        bob.events.clear()
        alice.start()
        rig.wait(lambda: alice.driver.local_address is not None)


def test_stop_leaves_no_thread(rig: Rig) -> None:
    before = set(threading.enumerate())
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    for node in (alice, bob):
        node.stop()
    rig.wait(lambda: set(threading.enumerate()) <= before)


@pytest.mark.parametrize("kind", ["connected", "data", "disconnected", "discovered"])
def test_a_callback_may_stop_the_driver(rig: Rig, kind: str) -> None:
    alice, bob = rig.node(), rig.node()
    after: list[str] = []

    def stop(*_: object) -> None:
        alice.stop()
        for name in ("connected", "data", "disconnected", "discovered"):
            alice.hooks[name] = lambda *_, name=name: after.append(name)

    alice.hooks[kind] = stop
    alice.driver.start_scanning()
    if kind in ("data", "disconnected"):
        rig.link(alice, bob)
    bob.driver.start_advertising()
    if kind == "connected":
        alice.driver.connect(bob.address)
    if kind == "data":
        bob.driver.send(alice.address, b"stop")
    elif kind == "disconnected":
        bob.driver.disconnect(alice.address)
    rig.wait(lambda: alice.of(kind))
    rig.wait(lambda: alice.driver.state is DriverState.IDLE and not bob.driver.connected_peers)
    rig.settle(0.2)
    assert after == []


def test_a_callback_may_call_any_method(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()

    def dial(device: BLEDevice) -> None:
        alice.driver.stop_scanning()
        alice.driver.connect(device.address)

    def greet(address: str, mtu: int) -> None:
        assert alice.driver.connected_peers == [address]
        alice.driver.send(address, b"hello")

    def answer(address: str, data: bytes) -> None:
        bob.driver.stop_advertising()
        bob.driver.send(address, data + b" to you")

    alice.hooks.update(discovered=dial, connected=greet, data=lambda address, _: alice.driver.disconnect(address))
    bob.hooks["data"] = answer
    alice.driver.start_scanning()
    bob.driver.start_advertising()
    rig.wait(lambda: alice.of("disconnected") and bob.of("disconnected"))
    assert alice.data(bob.address) == [b"hello to you"]
    assert (alice.driver.state, bob.driver.state) == (DriverState.IDLE, DriverState.IDLE)


def test_a_callback_that_raises_harms_nothing(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    alice, bob = rig.node(), rig.node()

    def fail(*_: object) -> None:
        raise RuntimeError("this callback is broken")

    for kind in ("connected", "data", "disconnected", "discovered"):
        alice.hooks[kind] = fail
    alice.driver.start_scanning()
    with caplog.at_level(logging.ERROR):
        rig.link(alice, bob)
        bob.driver.send(alice.address, b"one")
        bob.driver.send(alice.address, b"two")
        rig.wait(lambda: len(alice.of("data")) == 2)
        bob.driver.disconnect(alice.address)
        rig.wait(lambda: alice.of("disconnected"))
    assert "this callback is broken" in caplog.text
    alice.driver.connect(bob.address)
    rig.wait(lambda: len(alice.of("connected")) == 2)


def test_start_and_identity_refuse_nonsense(rig: Rig) -> None:
    node = rig.node()
    with pytest.raises(DriverStateError, match="already"):
        node.start()
    other = rig.node(start=False)
    with pytest.raises(InvalidUUIDError, match="not-a-uuid"):
        other.driver.start("not-a-uuid", *UUIDS[1:])
    other.start()  # the refused call left nothing behind
    for identity in (b"", b"x" * 15, b"x" * 17):
        with pytest.raises(InvalidIdentityError, match="16 bytes"):
            node.driver.set_identity(identity)
    with pytest.raises(DataTypeError):
        node.driver.set_identity("x" * 16)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [0, -1.0, "soon"])
def test_a_time_out_that_is_none_is_refused(rig: Rig, bad: object) -> None:
    with pytest.raises(InvalidOptionError, match="connect_timeout"):
        rig.make_driver(connect_timeout=bad)


@pytest.mark.parametrize("bad", [22, 518])
def test_an_mtu_out_of_range_is_refused(rig: Rig, bad: int) -> None:
    rig.require_chosen_mtu()
    with pytest.raises((InvalidOptionError, ValueError), match="MTU"):
        rig.make_driver(mtu=bad)
