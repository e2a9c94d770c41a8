"""Hosts that vanish or reset: silent at once, noticed by their peers when the supervision timeout has passed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from bumble import hci

from drivers.bumble_driver.radio import Air

from .hosts import SUCCESS, HciHost, room, run, until, update

Reports = hci.HCI_LE_Advertising_Report_Event
Connected = hci.HCI_LE_Connection_Complete_Event
TIMEOUT = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
STATIC = hci.Address("C4:00:00:00:00:0A")


async def close(host: HciHost) -> None:
    host.close()


async def abort(host: HciHost) -> None:
    host.transport.abort()


async def reset(host: HciHost) -> None:
    assert await host.ask(hci.HCI_Reset_Command()) == SUCCESS


def links_of(host: HciHost) -> list[type]:
    """Return what the host was told of links and has not asked for, in order."""
    return [type(e) for e in host.received if isinstance(e, (Connected, hci.HCI_Disconnection_Complete_Event))]


WAYS = pytest.mark.parametrize("leave", [close, abort, reset], ids=lambda way: way.__name__)
Way = Callable[[HciHost], Awaitable[None]]


@WAYS
@pytest.mark.parametrize("leaver", ["central", "peripheral"])
def test_the_peer_sees_a_timeout_after_the_links_own_time(leave: Way, leaver: str) -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, other_handle = await there.linked_pair(timeout=15)
            gone, left, left_handle = (
                (central, peripheral, other_handle) if leaver == "central" else (peripheral, central, handle)
            )
            loop = asyncio.get_running_loop()
            start = loop.time()
            await leave(gone)
            event = await left.disconnected()
            assert (event.connection_handle, event.reason) == (left_handle, TIMEOUT)
            assert 0.14 < loop.time() - start < 0.4
            await left.sync()
            assert not left.all(hci.HCI_Disconnection_Complete_Event)
            assert not gone.all(hci.HCI_Disconnection_Complete_Event)

    run(test())


def test_the_timeout_is_that_of_the_last_update() -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, _ = await there.linked_pair(timeout=3200)
            assert await central.ask(update(handle, interval=24, latency=0, timeout=10)) == SUCCESS
            central.close()
            assert (await peripheral.disconnected()).reason == TIMEOUT

    run(test())


def test_an_air_may_have_a_timeout_of_its_own() -> None:
    async def test() -> None:
        async with room(air=Air(supervision_timeout=0.02)) as there:
            central, _, peripheral, _ = await there.linked_pair(timeout=3200)
            central.close()
            assert (await peripheral.disconnected()).reason == TIMEOUT

    run(test())


@WAYS
def test_who_is_gone_is_silent_and_cannot_be_connected_to(leave: Way) -> None:
    async def test() -> None:
        async with room() as there:
            gone, scanner = await there.host(), await there.host()
            await gone.advertise()
            await scanner.scan()
            await scanner.take(Reports)
            assert await scanner.dial(STATIC) == SUCCESS
            assert await scanner.cancel() == SUCCESS
            await leave(gone)
            await until(lambda: not any(controller.advertiser.enabled for controller in there.server.controllers))
            await scanner.sync()
            scanner.received.clear()
            assert await scanner.dial(gone.public) == SUCCESS
            await asyncio.sleep(0.07)
            assert not scanner.all(Reports)
            assert not scanner.all(Connected)

    run(test())


def test_a_controller_leaves_with_its_host() -> None:
    async def test() -> None:
        async with room() as there:
            gone, stays = await there.host(), await there.host()
            await gone.scan()
            await gone.dial(STATIC)
            gone.close()
            await until(lambda: len(there.server.controllers) == 1)
            assert there.server.air.controllers == set(there.server.controllers)
            assert not there.server.air.has_listeners
            await stays.sync()

    run(test())


def test_reset_clears_everything() -> None:
    async def test() -> None:
        async with room() as there:
            host, other = await there.host(STATIC), await there.host()
            await host.ask(hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(address_type=0, address=other.public))
            await host.advertise(own=1)
            await host.scan(active=True)
            await host.dial(other.public, own=1)
            await reset(host)
            host.received.clear()
            await other.scan()
            await other.advertise()
            await asyncio.sleep(0.06)
            assert not host.received  # no report, no connection
            assert not other.all(Reports)
            await other.stop_advertising()
            assert await host.cancel() == hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR
            assert await host.dial(other.public, own=1) == hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
            await host.scan(policy=1)
            await other.advertise()
            await asyncio.sleep(0.06)
            assert not host.all(Reports)  # the accept list is empty

    run(test())


def test_a_returning_address_waits_for_its_old_link_to_be_missed() -> None:
    async def test() -> None:
        async with room() as there:
            gone, stays = await there.host(STATIC), await there.host()
            await stays.advertise()
            await gone.dial(stays.public, own=1, timeout=15)
            await stays.connected()
            gone.transport.abort()
            again = await there.host(STATIC)
            await stays.advertise()
            assert await again.dial(stays.public, own=1) == SUCCESS
            await again.connected()
            assert links_of(stays) == [hci.HCI_Disconnection_Complete_Event, Connected]

    run(test())


def test_an_attempt_that_lost_does_not_win_before_the_old_link_is_missed() -> None:
    """We dial, they dial and win, they die, and something with their address advertises while ours is still pending."""

    async def test() -> None:
        async with room() as there:
            stays, gone = await there.host(), await there.host(STATIC)
            assert await stays.dial(STATIC) == SUCCESS
            assert await gone.dial(stays.public, own=1, timeout=15) == SUCCESS
            await stays.advertise()
            await stays.connected()
            gone.transport.abort()
            again = await there.host(STATIC)
            await again.advertise(own=1)
            await again.connected()
            assert links_of(stays) == [hci.HCI_Disconnection_Complete_Event, Connected]

    run(test())


def test_a_silent_link_can_be_hung_up() -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, _ = await there.linked_pair(timeout=3200)
            peripheral.transport.abort()
            await until(lambda: len(there.server.controllers) == 1)
            central.send_data(handle, b"into the void")
            (link,) = there.server.controllers[0].links
            timer = link.supervision
            assert timer is not None
            assert await central.hang_up(handle) == SUCCESS
            assert (await central.disconnected()).reason == 0x16
            assert timer.cancelled()

    run(test())


def test_both_ends_gone_leaves_nothing_behind() -> None:
    async def test() -> None:
        async with room() as there:
            central, _, peripheral, _ = await there.linked_pair(timeout=10)
            third = await there.host()
            central.close()
            peripheral.close()
            await until(lambda: len(there.server.controllers) == 1)
            await asyncio.sleep(0.15)
            await third.sync()

    run(test())


def test_a_stopped_host_that_dies_is_noticed() -> None:
    """Nothing is read from a host that does not read, so its end must show while writing."""

    async def test() -> None:
        async with room() as there:
            sender, victim = await there.host(), await there.host(receive_buffer=16 * 1024)
            handle, *_ = await there.link(sender, victim, timeout=10)
            victim.transport.pause_reading()
            for _ in range(100):
                for _ in range(64):
                    sender.send_data(handle, bytes(251))
                await asyncio.sleep(0.002)
                if there.server.controllers[1]._congested:
                    break
            assert there.server.controllers[1]._congested
            victim.transport.abort()
            assert (await sender.disconnected()).reason == TIMEOUT

    run(test())


def test_closing_the_server_frees_the_port() -> None:
    async def test() -> None:
        async with room() as there:
            await there.linked_pair()
            port = there.server.port
            await there.server.close()
            await there.server.close()
            with pytest.raises(OSError, match=r"refused|Connect"):
                await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port)

    run(test())
