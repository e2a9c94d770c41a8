"""The health of the bumble driver: a radio that hangs, who has the adapter, and what many links leave behind."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ble_driver import DriverState
from drivers.bumble_driver import BumbleDriver
from drivers.bumble_driver import driver as bumble_driver
from drivers.bumble_driver.radio.controller import RadioController
from tests.contract.bumble_rig import BumbleRig

#: A node of the contract suite.
Node = Any

#: Links that are opened and ended here. Ten thousand, by the same functions: python -m tests.bumble_driver.test_health
CYCLES = 300


@pytest.fixture
def rig() -> Iterator[BumbleRig]:
    rig = BumbleRig()
    yield rig
    rig.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for in seconds takes tenths of them."""
    monkeypatch.setattr("drivers.bumble_driver.driver.POWER_TIMEOUT", 0.5)
    monkeypatch.setattr("ble_driver.base_driver.health.LOOK_INTERVAL", 0.3)
    monkeypatch.setattr("ble_driver.base_driver.health.RETRY_MAX", 0.3)


class MuteRadio:
    """Controllers that take commands and never answer, as those of a daemon that is stopped."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mute = False
        obey = RadioController.on_packet

        def on_packet(controller: RadioController, packet: bytes) -> None:
            if not self.mute:
                obey(controller, packet)

        monkeypatch.setattr(RadioController, "on_packet", on_packet)


def bumble(node: Node) -> BumbleDriver:
    assert isinstance(node.driver, BumbleDriver)
    return node.driver


def counts(node: Node) -> dict[str, int]:
    recovery: dict[str, Any] = dict(bumble(node).get_status()["recovery"])
    return {name: count for name, count in recovery.items() if count}


@pytest.mark.usefixtures("impatient")
def test_a_radio_that_hangs_is_opened_anew_reset_and_told_until_it_answers(
    rig: BumbleRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    radio = MuteRadio(monkeypatch)
    alice, bob = rig.node(), rig.node()
    alice.driver.start_scanning()
    rig.link(alice, bob)
    rig.settle(1.0)
    assert counts(alice) == {}  # it is asked, and answers
    radio.mute = True
    rig.wait(lambda: len(alice.errors()) == 3, timeout=20.0)
    assert {**counts(alice), "reports": 1} == {"driver_restarts": 1, "power_cycles": 1, "reports": 1}
    assert alice.of("disconnected") == [[bob.address]]
    assert alice.driver.state is DriverState.IDLE
    errors = [str(error) for error in alice.errors()]
    assert "does not answer when it is to tell its address; it is opened anew" in errors[0]
    assert "does not answer when it is to be set up, although it was opened anew; the adapter is reset" in errors[1]
    assert "(it was not reset: the radio at" in errors[2]
    assert errors[2].endswith("end the radio daemon and start it again: python -m drivers.bumble_driver.radio")
    radio.mute = False
    rig.wait(lambda: alice.driver.state is DriverState.SCANNING and bob.driver.state is DriverState.ADVERTISING)
    alice.events.clear()
    rig.link(alice, bob)


@pytest.mark.usefixtures("impatient")
def test_a_reset_is_made_over_a_connection_of_its_own(rig: BumbleRig) -> None:
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    alice.driver.dispatcher.run(bumble(alice)._power_cycle(), 5.0)
    rig.wait(lambda: len(rig._server.controllers) == 2)  # the daemon may not have noticed the end of its own yet
    assert alice.of("disconnected") == []


@pytest.mark.usefixtures("impatient")
def test_stop_is_bounded_while_the_radio_hangs(rig: BumbleRig, monkeypatch: pytest.MonkeyPatch) -> None:
    radio = MuteRadio(monkeypatch)
    alice, bob = rig.node(), rig.node()
    alice.driver.start_scanning()
    rig.link(alice, bob)
    radio.mute = True
    alice.driver.stop_scanning()  # hangs
    alice.driver.connect("C0:00:00:00:00:02")  # so does this
    begun = time.monotonic()
    alice.driver.stop()
    assert time.monotonic() - begun < 5.0
    radio.mute = False
    alice.start()
    rig.wait(lambda: bumble(alice).get_status()["radio_up"])


def test_it_never_scans_and_initiates_at_once_and_scans_again_after(
    rig: BumbleRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []
    obey = RadioController.on_packet

    def on_packet(controller: RadioController, packet: bytes) -> None:
        obey(controller, packet)
        seen.append((bool(controller.le_scan_enable), controller._initiating is not None))

    monkeypatch.setattr(RadioController, "on_packet", on_packet)
    alice, bob = rig.node(connect_timeout=0.5), rig.node()
    alice.driver.start_scanning()
    bob.driver.start_advertising()
    rig.wait(lambda: alice.of("discovered"))
    alice.driver.connect("C0:00:00:00:00:02")  # nobody: it initiates until its time is up
    alice.driver.connect(bob.address)
    rig.wait(lambda: alice.of("failed"))
    rig.link(alice, bob)
    bob.driver.start_advertising()
    heard = len(alice.of("discovered"))
    rig.wait(lambda: len(alice.of("discovered")) > heard)
    assert (True, True) not in seen
    assert (True, False) in seen
    assert (False, True) in seen
    assert alice.driver.state is DriverState.SCANNING


def test_two_adapters_in_one_process_know_nothing_of_each_other(rig: BumbleRig) -> None:
    other = BumbleRig()
    try:
        alice, bob, carol = rig.node(), other.node(), other.node()
        for node in (alice, bob):
            node.driver.start_scanning()
            node.driver.start_advertising()
        rig.wait(lambda: all(node.driver.get_status()["state"] == ["scanning", "advertising"] for node in (alice, bob)))
        taken = bumble(alice).exclusive_control.client_operation()
        alice.driver.dispatcher.run(taken.__aenter__(), 5.0)
        rig.wait(lambda: not bumble(alice).exclusive_control.get_status()["scan_ready"])
        other.link(carol, bob)  # on this adapter nobody has to wait
        carol.driver.start_scanning()
        other.wait(lambda: carol.driver.state is DriverState.SCANNING)
        assert bumble(bob).exclusive_control.get_status()["scan_ready"]
        alice.driver.dispatcher.run(taken.__aexit__(None, None, None), 5.0)
        assert alice.devices() == {}
        assert alice.address not in bob.devices()
    finally:
        other.close()


# --- what many links leave behind -------------------------------------------------------------------------------------


class Left:
    """What there is of everything that must not grow."""

    def __init__(self) -> None:
        gc.collect()
        self.threads = threading.active_count()
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.objects = len(gc.get_objects())
        with open("/proc/self/statm") as statm:
            self.kib = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def tasks(node: Node) -> int:
    return len(node.driver.dispatcher._tasks)


def cycle(rig: BumbleRig, alice: Node, bob: Node, times: int) -> None:
    """Open and end a link, again and again; the central ends it, or the peripheral."""
    for n in range(times):
        rig.wait(lambda: bob.driver.state is DriverState.ADVERTISING)
        alice.driver.connect(bob.address)
        rig.wait(lambda: alice.driver.connected_peers and bob.driver.connected_peers)
        ender, other = (alice, bob) if n % 2 else (bob, alice)
        ender.driver.disconnect(other.address)
        rig.wait(lambda: not alice.driver.connected_peers and not bob.driver.connected_peers)
        alice.events.clear()
        bob.events.clear()


def run_cycles(rig: BumbleRig, times: int) -> tuple[Left, Left, int]:
    """Return what there is before and after, and how many tasks more there are."""
    alice, bob = rig.node(), rig.node()
    alice.driver.start_scanning()
    bob.driver.start_advertising()

    def say_hello(_: str, __: int) -> None:
        alice.driver.send(bob.address, alice.identity)  # else bob does not know of the link

    alice.hooks["connected"] = say_hello
    cycle(rig, alice, bob, 50)  # caches fill
    before, had = Left(), tasks(alice) + tasks(bob)
    cycle(rig, alice, bob, times)
    rig.settle(0.5)
    return before, Left(), tasks(alice) + tasks(bob) - had


def test_rapid_links_leave_nothing_behind(rig: BumbleRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.bumble_driver.driver.ADVERTISING_INTERVAL", 20.0)  # the shortest there is
    before, after, more_tasks = run_cycles(rig, CYCLES)
    assert after.threads <= before.threads
    assert after.descriptors <= before.descriptors
    assert more_tasks <= 0
    assert after.objects - before.objects < CYCLES  # less than one for each


if __name__ == "__main__":
    bumble_driver.ADVERTISING_INTERVAL = 20.0
    the_rig = BumbleRig()
    begun = time.monotonic()
    start, end, tasks_more = run_cycles(the_rig, 10_000)
    print(f"10,000 links opened and ended in {time.monotonic() - begun:.0f} s")  # noqa: T201
    for what in ("threads", "descriptors", "objects", "kib"):
        print(f"{what}: {getattr(start, what)} before, {getattr(end, what)} after")  # noqa: T201
    print(f"tasks more: {tasks_more}")  # noqa: T201
    the_rig.close()
