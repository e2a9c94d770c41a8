"""Advertising and scanning: what is heard, by whom, how often."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from bumble import hci

from drivers.bumble_driver.radio import Air, RadioController
from drivers.bumble_driver.radio.advertiser import Advertisement, Advertiser

from .hosts import INTERVAL, SUCCESS, HciHost, room, run, until

Reports = hci.HCI_LE_Advertising_Report_Event
ADV_IND, SCAN_RSP = Reports.EventType.ADV_IND, Reports.EventType.SCAN_RSP


def reports(host: HciHost) -> list[Reports.Report]:
    return [report for event in host.all(Reports) for report in event.reports]


async def heard(host: HciHost, count: int = 1) -> list[Reports.Report]:
    await until(lambda: len(reports(host)) >= count)
    return reports(host)


def test_passive_scanner_gets_the_advertisement_only() -> None:
    async def test() -> None:
        async with room() as there:
            advertiser, scanner = await there.host(), await there.host()
            await advertiser.advertise(b"\x02\x01\x06", b"\x03\x09hi")
            await scanner.scan(active=False)
            for report in await heard(scanner, 3):
                assert (report.event_type, report.address, report.data) == (ADV_IND, advertiser.public, b"\x02\x01\x06")
                assert (report.address_type, report.rssi) == (0, -50)

    run(test())


def test_active_scanner_gets_the_advertisers_own_scan_response() -> None:
    async def test() -> None:
        async with room() as there:
            advertiser, scanner = await there.host(), await there.host()
            await advertiser.advertise(b"\x02\x01\x06", b"\x03\x09hi")
            await scanner.scan(active=True)
            first, second, *_ = await heard(scanner, 2)
            assert (first.event_type, first.data) == (ADV_IND, b"\x02\x01\x06")
            assert (second.event_type, second.data) == (SCAN_RSP, b"\x03\x09hi")

    run(test())


@pytest.mark.parametrize(("kind", "answers"), [(2, True), (3, False)])
def test_other_kinds_are_reported_as_what_they_are(kind: int, answers: bool) -> None:
    async def test() -> None:
        async with room() as there:
            advertiser, scanner = await there.host(), await there.host()
            await scanner.scan(active=True)
            await advertiser.advertise(b"\x02\x01\x04", kind=kind)
            assert {report.event_type for report in await heard(scanner, 4)} == (
                {kind, SCAN_RSP} if answers else {kind}
            )

    run(test())


def test_nothing_is_reported_while_scanning_is_off() -> None:
    async def test() -> None:
        async with room() as there:
            advertiser, scanner = await there.host(), await there.host()
            await advertiser.advertise()
            await scanner.scan()
            await heard(scanner)
            await scanner.stop_scanning()
            scanner.received.clear()
            await asyncio.sleep(0.07)
            assert not reports(scanner)

    run(test())


def test_nothing_is_reported_after_advertising_is_off() -> None:
    async def test() -> None:
        async with room() as there:
            advertiser, scanner = await there.host(), await there.host()
            await scanner.scan()
            await advertiser.advertise()
            await heard(scanner)
            await advertiser.stop_advertising()
            await scanner.sync()
            scanner.received.clear()
            await asyncio.sleep(0.07)
            assert not reports(scanner)

    run(test())


def test_duplicates_are_filtered_until_the_data_changes_or_scanning_starts_again() -> None:
    async def test() -> None:
        async with room() as there:
            advertiser, other, scanner = await there.host(), await there.host(), await there.host()
            await advertiser.advertise(b"\x01a")
            await other.advertise(b"\x01a")
            await scanner.scan(filter_duplicates=True)
            await heard(scanner, 2)
            await asyncio.sleep(0.1)
            assert len(reports(scanner)) == 2
            await advertiser.ask(hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=b"\x01b"))
            assert (await heard(scanner, 3))[2].data == b"\x01b"
            await scanner.stop_scanning()
            await scanner.scan(filter_duplicates=True)
            await heard(scanner, 5)

    run(test())


def test_without_the_filter_everything_is_reported() -> None:
    async def test() -> None:
        async with room() as there:
            advertiser, scanner = await there.host(), await there.host()
            await advertiser.advertise(b"\x01a")
            await scanner.scan()
            await heard(scanner, 4)

    run(test())


def test_the_duplicate_filter_is_bounded() -> None:
    async def test() -> None:
        async with room() as there:
            advertiser, scanner = await there.host(), await there.host()
            await scanner.scan(filter_duplicates=True)
            sender, receiver = there.server.controllers
            for number in range(1000):
                sender.random_address = hci.Address(number.to_bytes(5, "little") + b"\xc0")
                sender.advertiser.own_address_type = 1
                sender.advertiser.enabled = True
                sender.advertiser.send_advertising_data()
            await until(lambda: len(reports(scanner)) == 1000)
            assert len(receiver._reported) <= 256
            await advertiser.sync()

    run(test())


def test_accept_list_filters_the_scanner() -> None:
    async def test() -> None:
        async with room() as there:
            wanted, other, scanner = await there.host(), await there.host(), await there.host()
            await scanner.ask(
                hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(address_type=0, address=wanted.public)
            )
            await wanted.advertise()
            await other.advertise()
            await scanner.scan(policy=1)
            assert {str(report.address) for report in await heard(scanner, 4)} == {str(wanted.public)}

    run(test())


def test_interval_in_real_units_plus_a_seeded_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        delays: list[float] = []
        call_later = loop.call_later

        def spy(delay: float, callback: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
            if callback.__name__ == "_on_timer_fired":
                delays.append(delay)
            return call_later(delay, callback, *arguments)

        monkeypatch.setattr(loop, "call_later", spy)
        air = Air(rng=random.Random(7))
        async with room(air=air) as there:
            host = await there.host()
            await host.advertise(interval=INTERVAL)
            await until(lambda: len(delays) >= 3)
        rng = random.Random(7)
        assert delays[:3] == pytest.approx([INTERVAL * 0.000_625 + rng.uniform(0, 0.010) for _ in range(3)])

    run(test())


@pytest.mark.parametrize("interval", [0, 0x1F, 0x4001])
def test_impossible_intervals_are_refused(interval: int) -> None:
    async def test() -> None:
        async with room() as there:
            host = await there.host()
            with pytest.raises(AssertionError):
                await host.advertise(interval=interval)

    run(test())


def test_parameters_and_random_address_stay_while_on_the_air() -> None:
    async def test() -> None:
        async with room() as there:
            host = await there.host()
            await host.advertise()
            disallowed = hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR
            address = hci.Address("C0:00:00:00:00:01")
            assert await host.ask(hci.HCI_LE_Set_Random_Address_Command(random_address=address)) == disallowed
            with pytest.raises(AssertionError):
                await host.advertise(interval=100)

    run(test())


def test_signal_strength_is_a_method_to_override() -> None:
    class Field(Air):
        def rssi(self, sender: RadioController, receiver: RadioController) -> int:
            return -90 if receiver.name.endswith("3/P") else -40

    async def test() -> None:
        async with room(air=Field()) as there:
            advertiser, near, far = await there.host(), await there.host(), await there.host()
            await near.scan()
            await far.scan()
            await advertiser.advertise()
            assert (await heard(near))[0].rssi == -40
            assert (await heard(far))[0].rssi == -90
            assert await near.ask(hci.HCI_Read_RSSI_Command(handle=1)) != SUCCESS

    run(test())


def test_only_scanners_cost_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 nodes advertise, two of them listen."""

    async def test() -> None:
        told: list[RadioController] = []
        hear = RadioController.on_advertisement

        def spy(self: RadioController, advertisement: Any) -> None:
            told.append(self)
            hear(self, advertisement)

        monkeypatch.setattr(RadioController, "on_advertisement", spy)
        made: list[Advertiser] = []
        make = Advertiser._advertisement

        def count(self: Advertiser) -> Advertisement:
            made.append(self)
            return make(self)

        monkeypatch.setattr(Advertiser, "_advertisement", count)
        async with room() as there:
            hosts = await asyncio.gather(*(there.host() for _ in range(60)))
            await asyncio.gather(*(host.advertise(interval=0xA0) for host in hosts))
            await asyncio.sleep(0.05)
            assert not told
            assert not made
            for scanner in hosts[:2]:
                await scanner.scan(filter_duplicates=True)
            for scanner in hosts[:2]:
                await heard(scanner, 59)
            assert {controller.name for controller in told} == {str(scanner.public) for scanner in hosts[:2]}

    run(test())
