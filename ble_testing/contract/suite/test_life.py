"""Starting, stopping, and callbacks that misbehave."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import pytest

from ble_driver import (
    BLEDevice,
    DataTypeError,
    DriverState,
    DriverStateError,
    InvalidIdentityError,
    InvalidOptionError,
    InvalidUUIDError,
    normalise_address,
)
from ble_testing.contract.node import ABSENT, UUIDS
from ble_testing.contract.rig import Rig

#: Where Linux lists the files that this process has open.
FILES = Path("/proc/self/fd")


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
        stoppers = [threading.Thread(target=alice.stop) for _ in range(0 if rig.virtual else 3)]
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


def test_stop_leaves_no_open_file(rig: Rig) -> None:
    if not FILES.is_dir():
        rig.not_offered(f"a system that lists open files in {FILES}")
    alice, bob = rig.node(), rig.node()

    def live() -> None:
        alice.driver.start_scanning()
        rig.link(alice, bob)
        alice.driver.connect(ABSENT)
        for node in (alice, bob):
            node.stop()
            node.events.clear()

    live()  # what is opened once for all stays
    before = len(list(FILES.iterdir()))
    for _ in range(2):
        for node in (alice, bob):
            node.start()
        rig.wait(lambda: alice.driver.local_address and bob.driver.local_address)
        live()
    rig.wait(lambda: len(list(FILES.iterdir())) <= before)


def test_stop_leaves_no_task(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    alice.driver.start_scanning()
    alice.driver.connect(ABSENT)
    rig.settle(0.1)
    loop = getattr(alice.driver.dispatcher, "loop", None)
    if loop is None:
        rig.not_offered("a dispatcher with an asyncio loop")
    for node in (alice, bob):
        node.stop()
    rig.wait(lambda: loop.is_closed() or not asyncio.all_tasks(loop))


def test_stop_leaves_no_advertisement(rig: Rig) -> None:
    alice, bob = rig.node(connect_timeout=0.5), rig.node()
    address = bob.address
    bob.driver.start_advertising()
    alice.driver.start_scanning()
    rig.wait(lambda: address in alice.devices())
    bob.stop()
    rig.settle(0.2)
    heard = len(alice.of("discovered"))
    rig.settle(0.5)
    assert len(alice.of("discovered")) == heard
    alice.driver.connect(address)
    rig.wait(lambda: alice.of("failed"))


def test_a_driver_that_was_stopped_forgets_what_was_wanted(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    alice.driver.start_scanning()
    alice.driver.start_advertising()
    rig.link(alice, bob)
    alice.stop()
    alice.events.clear()
    alice.start()
    rig.wait(lambda: alice.driver.local_address is not None)
    rig.settle(0.3)
    assert alice.driver.state is DriverState.IDLE
    assert alice.driver.connected_peers == alice.driver.connecting_peers == []
    assert alice.events == []


def test_stop_is_quick_while_frames_wait(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    rig.fill(alice, bob, b"x" * 20)
    begun = rig.time()
    alice.stop()
    assert rig.time() - begun < 5.0
    assert alice.kinds("ready") == ["connected", "disconnected"]


def test_what_is_asked_for_right_after_start_is_done_once_the_radio_is_up(rig: Rig) -> None:
    alice, bob = rig.node(start=False), rig.node()
    bob.driver.start_advertising()
    alice.start()
    alice.driver.start_scanning()
    alice.driver.start_advertising("alice")
    alice.driver.connect(bob.address)
    rig.wait(lambda: alice.met(bob))
    rig.wait(lambda: alice.driver.state == DriverState.SCANNING | DriverState.ADVERTISING)
    carol = rig.node()
    carol.driver.start_scanning()
    rig.wait(lambda: alice.address in carol.devices())
    rig.wait(lambda: carol.devices()[alice.address].name == "alice")  # a scan response may come later


def test_the_identity_may_be_set_at_any_time_and_is_copied(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    first = bytearray(b"1" * 16)
    bob.driver.set_identity(first)
    first[:] = b"!" * 16
    rig.link(alice, bob)
    assert alice.driver.peer_identity(bob.address) == b"1" * 16
    bob.driver.set_identity(memoryview(b"2" * 16))
    alice.driver.disconnect(bob.address)
    rig.wait(lambda: alice.of("disconnected") and bob.of("disconnected"))
    alice.driver.connect(bob.address)
    rig.wait(lambda: len(alice.of("connected")) == 2)
    assert alice.driver.peer_identity(bob.address) == b"2" * 16


def test_the_local_address_is_what_others_see(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    assert bob.driver.local_address == normalise_address(bob.address)
    alice.driver.start_scanning()
    bob.driver.start_advertising()
    rig.wait(lambda: bob.driver.local_address in alice.devices())
    alice.driver.connect(bob.address)
    rig.wait(lambda: alice.driver.local_address in bob.driver.connected_peers)
