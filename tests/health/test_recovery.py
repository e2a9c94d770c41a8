"""Radios that hang, on virtual time: what is done about it, in which order, and that it is counted and told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from ble_driver import ConnectTimeoutError, DriverState, LinkError, RadioError
from ble_driver.recovery import CALM, LOOK_INTERVAL, SCAN_SILENCE, Recovery, Step
from drivers.mock_ble_driver.driver import MockLink
from tests.health.hanging import HangingDriver, World
from tests.health.uuids import UUIDS


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    for driver in world.drivers:
        driver.hanging.at.clear()
    world.dispatcher.run_for(2.0)
    for driver in world.drivers:
        driver.stop()
    world.dispatcher.close()


# --- silence ----------------------------------------------------------------------------------------------------------


def test_a_silent_scan_is_started_anew_and_nothing_else_happens_however_long_nobody_is_around(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    lonely = world.driver()
    lonely.start_scanning()
    world.dispatcher.run_for(600.0)
    # One minute of silence, and up to one interval until it is looked at.
    restarts = lonely.counts["scan_restarts"]
    assert 600 / (SCAN_SILENCE + LOOK_INTERVAL) - 1 <= restarts <= 600 / SCAN_SILENCE
    assert lonely.counts == {"scan_restarts": restarts}
    assert lonely.commands == ["open", "scan", *["unscan", "scan"] * restarts]
    assert lonely.events == []
    assert lonely.state is DriverState.SCANNING
    assert caplog.text == ""  # loneliness is no trouble


def test_a_scan_that_hears_somebody_is_left_alone_and_so_is_one_that_is_off(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    alice, bob = world.driver(), world.driver()
    alice.start_scanning()
    bob.start_advertising()
    world.dispatcher.run_for(600.0)
    assert (alice.counts, bob.counts) == ({}, {})
    bob.stop_advertising()
    alice.stop_scanning()
    world.dispatcher.run_for(600.0)
    assert (alice.counts, bob.counts) == ({}, {})
    assert "has not been fed" not in caplog.text


def test_a_scan_that_had_died_hears_again(world: World) -> None:
    alice, bob = world.driver(), world.driver()
    heard: list[float] = []
    alice.on_device_discovered = lambda _: heard.append(world.dispatcher.time())
    alice.start_scanning()
    bob.start_advertising()
    world.until(lambda: heard)
    hear, died = alice.hear, world.dispatcher.time()
    alice.hear = lambda *_: None  # type: ignore[method-assign]
    restart = alice._restart_scan

    async def mended() -> None:
        await restart()
        alice.hear = hear  # type: ignore[method-assign]

    alice._restart_scan = mended  # type: ignore[method-assign]
    world.until(lambda: heard[-1] > died, 100.0)
    assert alice.counts == {"scan_restarts": 1}


# --- no answer --------------------------------------------------------------------------------------------------------


def test_a_radio_that_does_not_answer_is_opened_anew_and_does_what_it_did(world: World) -> None:
    alice, bob = world.driver(), world.driver()
    alice.start_scanning()
    alice.start_advertising("alice")
    world.link(alice, bob)
    alice.hanging.at.add("check")
    world.until(lambda: alice.hanging.given)
    world.dispatcher.run_for(5.0)
    alice.hanging.at.clear()  # it answers after all, but in time
    world.dispatcher.run_for(60.0)
    assert alice.counts == {}
    alice.hanging.at.add("check")
    world.until(lambda: "driver_restarts" in alice.counts)
    alice.hanging.at.clear()
    world.until(lambda: alice.state == DriverState.SCANNING | DriverState.ADVERTISING)
    assert alice.of("disconnected") == [bob.address]
    assert alice.of("error") == ["the radio did not answer within 10 s; it is opened anew"]
    world.link(bob, alice)
    world.dispatcher.run_for(300.0)
    assert alice.counts == {"driver_restarts": 1}
    assert alice.get_status()["error"] is None


def test_a_command_that_took_too_long_once_costs_no_link(world: World) -> None:
    alice, bob = world.driver(), world.driver()
    world.link(alice, bob)
    alice.hanging.at.add("scan")
    alice.start_scanning()
    world.until(lambda: alice.of("error"))
    alice.hanging.at.clear()
    world.until(lambda: alice.state is DriverState.SCANNING)
    assert alice.of("error") == ["the radio did not start to scan within 25 s"]
    assert alice.connected_peers == [bob.address]
    assert alice.counts == {}


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_hung_scan_stop_does_not_hold_the_driver(world: World, stubborn: bool) -> None:
    alice, bob = world.driver(), world.driver()
    alice.start_scanning()
    world.dispatcher.run_for(1.0)
    alice.hanging.stubborn = stubborn
    alice.hanging.at |= {"unscan"}
    alice.stop_scanning()
    world.until(lambda: alice.counts, 100.0)
    assert alice.counts == {"driver_restarts": 1}
    # The radio answers otherwise, so it is tried once more.
    hung = "the radio did not stop to scan within 25 s"
    assert alice.of("error") == [hung, f"{hung}; it is opened anew"]
    world.until(lambda: alice.get_status()["radio_up"])
    assert alice.get_status()["state"] == []
    world.link(alice, bob)
    alice.start_scanning()
    world.until(lambda: alice.state is DriverState.SCANNING)
    alice.hanging.at.clear()  # what was left behind comes to its end now, and changes nothing
    world.dispatcher.run_for(10.0)
    assert alice.get_status()["state"] == ["scanning"]
    assert alice.commands.count("scan") == 2


def test_each_rung_is_climbed_once_and_then_a_person_is_told_until_the_radio_is_back(world: World) -> None:
    alice = world.driver()
    alice.start_scanning()
    world.until(lambda: alice.state is DriverState.SCANNING)
    alice.hanging.at |= {"open", "close", "scan", "unscan", "check", "cycle"}
    world.dispatcher.run_for(600.0)
    counts = alice.counts
    assert counts.pop("reports") > 5  # it goes on trying, and tells it once
    assert counts == {"driver_restarts": 1, "power_cycles": 1}
    errors = alice.of("error")
    assert len(errors) == 3
    assert errors[0].endswith("did not answer within 10 s; it is opened anew")
    assert errors[1].endswith("did not open within 20 s, although it was opened anew; the adapter is reset")
    assert errors[2].startswith("the radio did not open within 20 s, whatever was tried (it was not reset: no answer")
    assert errors[2].endswith(": restart what drives it, or unplug the adapter and plug it in again")
    assert alice.get_status()["error"] == errors[2]
    assert not alice.get_status()["radio_up"]
    alice.hanging.at.clear()
    world.until(lambda: alice.state is DriverState.SCANNING)
    assert alice.get_status()["error"] is None
    world.dispatcher.run_for(2 * CALM)
    alice.hanging.at.add("check")
    world.until(lambda: len(alice.of("error")) == 4)
    assert alice.counts["driver_restarts"] == 2  # new trouble begins with the mildest step


def test_why_an_adapter_is_not_reset_is_told(world: World) -> None:
    alice = world.driver()
    world.dispatcher.run_for(1.0)
    alice.refusal = RadioError("headphones use it")
    alice.hanging.at |= {"check", "open"}
    world.until(lambda: len(alice.of("error")) == 3, 200.0)
    assert "whatever was tried (it was not reset: headphones use it): restart what" in alice.of("error")[2]


def test_a_radio_that_refuses_is_awaited_and_never_reset(world: World) -> None:
    alice = world.driver()
    refusing = True

    async def refuse() -> None:
        if refusing:
            raise RadioError("the adapter is off: switch it on")

    alice._open_radio = refuse  # type: ignore[method-assign]
    alice.start_scanning()
    world.dispatcher.run_for(600.0)
    assert alice.counts == {}
    assert alice.of("error") in ([], ["the adapter is off: switch it on"])
    refusing = False
    world.until(lambda: alice.get_status()["radio_up"])


def test_a_fault_of_the_driver_is_not_the_end_of_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    alice = world.driver()
    world.dispatcher.run_for(1.0)
    scan = alice._set_scanning

    async def broken(on: bool) -> None:
        raise KeyError("a bug")

    alice._set_scanning = broken  # type: ignore[method-assign]
    alice.start_scanning()
    world.until(lambda: alice.of("error"))
    assert "the driver has failed: KeyError('a bug')" in alice.of("error")[0]
    assert "a bug" in caplog.text
    alice._set_scanning = scan  # type: ignore[method-assign]
    world.until(lambda: alice.state is DriverState.SCANNING)


@pytest.mark.parametrize("where", ["_power_cycle", "_check_radio"])
def test_a_fault_of_the_driver_while_it_recovers_is_not_the_end_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    alice = world.driver()
    alice.start_scanning()
    world.until(lambda: alice.state is DriverState.SCANNING)

    async def broken() -> None:
        raise KeyError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(alice, where, broken)
        alice.hanging.at |= {"unscan", "check", "open"}
        alice.stop_scanning()
        world.until(lambda: "the driver has failed: KeyError('a bug')" in alice.of("error"), 200.0)
    alice.hanging.at.clear()
    alice.start_scanning()
    world.until(lambda: alice.state is DriverState.SCANNING)


def test_a_driver_whose_radio_hangs_is_stopped_in_time(world: World) -> None:
    alice = world.driver()
    alice.start_scanning()
    world.dispatcher.run_for(1.0)
    alice.hanging.stubborn = True
    alice.hanging.at |= {"unscan", "close", "check"}
    alice.stop_scanning()
    world.dispatcher.run_for(3.0)
    alice.hanging.stubborn = False  # else virtual time would have to wait for it
    begun = world.dispatcher.time()
    alice.stop()
    assert world.dispatcher.time() - begun < 5.0
    assert alice.state is DriverState.IDLE
    alice.hanging.at.clear()
    alice.start(*UUIDS)
    world.until(lambda: alice.get_status()["radio_up"])


# --- attempts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["time", "disconnect"])
def test_a_connect_that_never_returns_is_left_behind_and_its_link_is_closed_if_it_comes(world: World, end: str) -> None:
    alice, bob = world.driver(), world.driver()
    bob.start_advertising()
    world.dispatcher.run_for(1.0)
    alice.hanging.stubborn = True
    alice.hanging.at.add("dial")
    alice.connect(bob.address)
    if end == "disconnect":
        world.dispatcher.run_for(1.0)
        alice.disconnect(bob.address)
    world.dispatcher.run_for(17.0)
    assert alice.connecting_peers == []
    assert len(alice.of("failed")) == 1
    assert isinstance(alice.of("failed")[0], ConnectTimeoutError) is (end == "time")
    alice.hanging.at.clear()  # now it goes on, and gets a link that nobody wants
    world.dispatcher.run_for(10.0)
    assert (alice.connected_peers, bob.connected_peers) == ([], [])
    assert alice.of("connected") == []
    world.link(alice, bob)
    assert len(alice.of("failed")) == 1


def test_a_link_that_breaks_before_it_is_reported_is_an_attempt_that_failed(world: World) -> None:
    alice, bob = world.driver(), world.driver()
    bob.start_advertising()
    world.dispatcher.run_for(1.0)
    dial = alice._open_link

    async def break_at_once(address: str) -> MockLink:
        link = await dial(address)
        alice._report_link_lost(link)
        return link

    alice._open_link = break_at_once  # type: ignore[method-assign]
    alice.connect(bob.address)
    world.until(lambda: alice.of("failed"))
    assert isinstance(alice.of("failed")[0], LinkError)
    assert (alice.connected_peers, alice.connecting_peers, alice.of("connected")) == ([], [], [])


def _wait_for_who_keeps_the_adapter(world: World, alice: HangingDriver) -> list[str]:
    """Somebody has the adapter for good, and another waits for it; return where he says that he has got it."""
    got: list[str] = []

    async def keep() -> None:
        async with alice.exclusive_control.client_operation():
            await asyncio.sleep(1e6)

    async def wait() -> None:
        async with alice.exclusive_control.client_operation(1000.0):
            got.append("it")

    world.dispatcher.run_for(1.0)
    for part in (keep, wait):
        world.dispatcher.loop.create_task(part())
    return got


def test_an_adapter_that_somebody_keeps_for_too_long_is_taken_from_him(world: World) -> None:
    alice = world.driver()
    got = _wait_for_who_keeps_the_adapter(world, alice)
    world.until(lambda: got, 150.0)
    assert alice.counts == {"deadlocks": 1}


def test_who_had_the_adapter_when_it_was_lost_keeps_nobody_from_it_when_it_is_back(world: World) -> None:
    alice = world.driver()
    got = _wait_for_who_keeps_the_adapter(world, alice)
    world.dispatcher.run_for(1.0)
    assert got == []
    alice._report_radio_lost(RadioError("it was pulled out"))
    world.until(lambda: got, 1.0)
    assert alice.counts == {}


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_a_driver_whose_dispatcher_was_closed_first_can_still_be_stopped(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    alice, bob = world.driver(), world.driver()
    world.link(alice, bob)
    alice.connect("02:00:00:00:00:99")
    world.dispatcher.close()
    alice.set_identity(bytes(16))
    alice.disconnect(bob.address)
    alice.disconnect("02:00:00:00:00:99")
    for driver in (alice, bob):
        driver.stop()
        driver.stop()
    assert (alice.connected_peers, alice.connecting_peers) == ([], [])
    assert caplog.text.count("its dispatcher was closed before it") == 2


# --- status -----------------------------------------------------------------------------------------------------------


def test_the_status_is_plain_and_complete(world: World) -> None:
    alice, bob = world.driver(), world.driver()
    alice.start_scanning()
    world.link(alice, bob)
    alice.connect("02:00:00:00:00:99")
    world.dispatcher.run_for(1.0)
    status = alice.get_status()
    assert json.loads(json.dumps(status)) == status
    assert status["state"] == ["scanning"]
    assert status["address"] == alice.address
    assert status["connected"] == [bob.address]
    assert status["connecting"] == ["02:00:00:00:00:99"]
    assert status["radio_up"]
    assert status["exclusive_control"]["enabled"]
    assert bob.get_status()["state"] == ["advertising"]


def test_the_ladder_begins_anew_after_a_calm() -> None:
    now = 1000.0
    recovery = Recovery(lambda: now)
    assert [recovery.next_step() for _ in range(4)] == [
        Step.RESTART_DRIVER,
        Step.POWER_CYCLE,
        Step.REPORT,
        Step.REPORT,
    ]
    now += CALM
    assert recovery.next_step() is Step.REPORT
    now += CALM + 0.1
    assert recovery.next_step() is Step.RESTART_DRIVER
