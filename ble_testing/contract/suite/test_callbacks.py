"""Callbacks: when they come, on which thread, and what they may find."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable

import pytest

from ble_driver import Role
from ble_testing.contract.node import ABSENT, Node
from ble_testing.contract.rig import Rig

#: Seconds within which a method returns; far more than one that waits for nothing needs.
AT_ONCE = 0.5


def test_no_callback_comes_inside_a_method_call(rig: Rig) -> None:
    alice, bob = rig.node(connect_timeout=1.0), rig.node()
    rig.link(alice, bob)
    inside: list[tuple[str, list[str]]] = []
    calls: list[tuple[str, Callable[[], object]]] = [
        ("send", lambda: alice.driver.send(bob.address, b"x")),
        ("connect to a peer", lambda: alice.driver.connect(bob.address)),
        ("connect to nobody", lambda: alice.driver.connect(ABSENT)),
        ("give up", lambda: alice.driver.disconnect(ABSENT)),
        ("start_scanning", alice.driver.start_scanning),
        ("stop_scanning", alice.driver.stop_scanning),
        ("start_advertising", alice.driver.start_advertising),
        ("stop_advertising", alice.driver.stop_advertising),
        ("set_identity", lambda: alice.driver.set_identity(alice.identity)),
        ("disconnect", lambda: alice.driver.disconnect(bob.address)),
    ]

    def make_them() -> None:
        for name, call in calls:
            before = len(alice.events)
            call()
            if len(alice.events) != before:
                inside.append((name, alice.kinds()[before:]))

    alice.driver.dispatcher.call_soon(make_them)
    rig.wait(lambda: alice.of("disconnected") and alice.of("failed"))
    assert inside == []


def test_methods_return_at_once_on_any_thread(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    alice.driver.connect(ABSENT)  # something that takes its time
    took: dict[str, list[float]] = defaultdict(list)

    def call_all() -> None:
        for name, call in _methods(alice, bob):
            begun = time.monotonic()
            call()
            took[name].append(time.monotonic() - begun)

    threads = [threading.Thread(target=call_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # On a busy machine any call may take its time, but not each.
    assert [name for name, seconds in took.items() if min(seconds) > AT_ONCE] == []
    rig.wait(lambda: len(bob.data(alice.address)) == 4)
    assert alice.driver.connected_peers == [bob.address]


def _methods(node: Node, peer: Node) -> list[tuple[str, Callable[[], object]]]:
    driver = node.driver
    return [
        ("start_scanning", driver.start_scanning),
        ("start_advertising", driver.start_advertising),
        ("connect", lambda: driver.connect(peer.address)),
        ("send", lambda: driver.send(peer.address, b"x")),
        ("peer_role", lambda: driver.peer_role(peer.address)),
        ("peer_identity", lambda: driver.peer_identity(peer.address)),
        ("connected_peers", lambda: driver.connected_peers),
        ("connecting_peers", lambda: driver.connecting_peers),
        ("state", lambda: driver.state),
        ("local_address", lambda: driver.local_address),
        ("set_identity", lambda: driver.set_identity(node.identity)),
        ("disconnect", lambda: driver.disconnect(ABSENT)),
        ("stop_scanning", driver.stop_scanning),
        ("stop_advertising", driver.stop_advertising),
    ]


def test_what_is_reported_is_so_already(rig: Rig) -> None:
    alice, bob = rig.node(), rig.node()
    found: list[tuple[object, ...]] = []

    def up(address: str, mtu: int) -> None:
        driver = alice.driver
        found.append((driver.connected_peers, driver.connecting_peers, driver.peer_role(address)))
        found.append((driver.peer_identity(address),))

    def down(address: str) -> None:
        driver = alice.driver
        found.append((driver.connected_peers, driver.peer_role(address), driver.peer_identity(address)))

    def failed(address: str, error: object) -> None:
        found.append((alice.driver.connecting_peers,))

    alice.hooks.update(connected=up, disconnected=down, failed=failed)
    rig.link(alice, bob)
    alice.driver.disconnect(bob.address)
    rig.wait(lambda: alice.of("disconnected"))
    alice.driver.connect(ABSENT)
    alice.driver.disconnect(ABSENT)
    rig.wait(lambda: alice.of("failed"))
    assert found == [([bob.address], [], Role.CENTRAL), (bob.identity,), ([], None, None), ([],)]


def test_nobody_has_to_listen(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    alice, bob = rig.node(), rig.node()
    driver = alice.driver
    driver.on_device_discovered = driver.on_device_connected = driver.on_device_disconnected = None
    driver.on_data_received = driver.on_connection_failed = driver.on_mtu_changed = None
    driver.on_send_ready = driver.on_error = None
    driver.start_scanning()
    bob.driver.start_advertising()
    with caplog.at_level(logging.ERROR):
        driver.connect(bob.address)
        rig.wait(lambda: driver.connected_peers and bob.of("connected"))
        driver.send(bob.address, b"to bob")
        rig.wait(lambda: bob.of("data"))
        bob.driver.send(alice.address, b"to alice")
        driver.connect(ABSENT)
        driver.disconnect(ABSENT)
        rig.wait(lambda: not driver.connecting_peers)
        bob.driver.disconnect(alice.address)
        rig.wait(lambda: not driver.connected_peers)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_failure_that_is_met_with_an_error_harms_nothing(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    alice, bob = rig.node(), rig.node()

    def fail(*_: object) -> None:
        raise RuntimeError("this callback is broken")

    alice.hooks["failed"] = fail
    with caplog.at_level(logging.ERROR):
        alice.driver.connect(ABSENT)
        alice.driver.disconnect(ABSENT)
        rig.wait(lambda: "this callback is broken" in caplog.text)
    assert alice.driver.connecting_peers == []
    rig.link(alice, bob)
