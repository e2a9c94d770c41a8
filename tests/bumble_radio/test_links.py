"""Connections: made on both ends or not at all, ended once on each."""

from __future__ import annotations

import asyncio

import pytest
from bumble import hci

from .hosts import SUCCESS, HciHost, room, run, until, update

STATIC = hci.Address("C4:00:00:00:00:0A")
DISALLOWED = hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR
UNKNOWN = hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
EXISTS = hci.HCI_ErrorCode.CONNECTION_ALREADY_EXISTS_ERROR
INVALID = hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR

Connected = hci.HCI_LE_Connection_Complete_Event
Disconnected = hci.HCI_Disconnection_Complete_Event


def test_both_ends_learn_the_same_link() -> None:
    async def test() -> None:
        async with room() as there:
            central, peripheral = await there.host(), await there.host()
            await peripheral.advertise()
            assert await central.dial(peripheral.public, interval=40, latency=2, timeout=99) == SUCCESS
            up, also_up = await central.connected(), await peripheral.connected()
            assert (up.status, up.role, up.peer_address) == (SUCCESS, hci.Role.CENTRAL, peripheral.public)
            assert (also_up.status, also_up.role) == (SUCCESS, hci.Role.PERIPHERAL)
            assert also_up.peer_address == central.public
            for event in (up, also_up):
                assert (event.connection_interval, event.peripheral_latency, event.supervision_timeout) == (40, 2, 99)
            rssi = await central.ask(hci.HCI_Read_RSSI_Command(handle=up.connection_handle))
            assert rssi.rssi == -50

    run(test())


def test_being_connected_ends_advertising() -> None:
    async def test() -> None:
        async with room() as there:
            _, _, peripheral, _ = await there.linked_pair()
            other = await there.host()
            assert await other.dial(peripheral.public) == SUCCESS
            await asyncio.sleep(0.06)
            assert not other.all(Connected)
            await peripheral.advertise()  # until it advertises again
            await other.connected()

    run(test())


def test_one_advertisement_makes_one_link() -> None:
    """Two centrals wait for the same peripheral: the second is told nothing and stays pending."""

    async def test() -> None:
        async with room() as there:
            first, second, peripheral = [await there.host() for _ in range(3)]
            assert await first.dial(peripheral.public) == SUCCESS
            assert await second.dial(peripheral.public) == SUCCESS
            await peripheral.advertise()
            await first.connected()
            await second.sync()
            assert not second.all(Connected)
            assert len(peripheral.all(Connected)) == 1

    run(test())


@pytest.mark.parametrize("kind", [None, 2, 3])
def test_no_link_to_who_does_not_advertise_connectably(kind: int | None) -> None:
    async def test() -> None:
        async with room() as there:
            central, peripheral = await there.host(), await there.host()
            if kind is not None:
                await peripheral.advertise(kind=kind)
            assert await central.dial(peripheral.public) == SUCCESS
            await asyncio.sleep(0.06)
            assert not central.all(Connected)
            assert not central.all(hci.HCI_LE_Advertising_Report_Event)  # initiating is not scanning
            assert not peripheral.all(Connected)
            assert not any(controller.links for controller in there.server.controllers)

    run(test())


def test_simultaneous_dials_make_one_link() -> None:
    async def test() -> None:
        async with room() as there:
            hosts = a, b = await there.host(), await there.host()
            await asyncio.gather(a.advertise(), b.advertise())
            assert set(await asyncio.gather(a.dial(b.public), b.dial(a.public))) == {SUCCESS}
            ups = await asyncio.gather(a.connected(), b.connected())
            assert {up.role for up in ups} == {hci.Role.CENTRAL, hci.Role.PERIPHERAL}
            await asyncio.sleep(0.06)
            for host, up in zip(hosts, ups, strict=True):
                assert not host.all(Connected)
                await host.advertise(interval=100) if up.role == hci.Role.PERIPHERAL else None
            assert [len(controller.links) for controller in there.server.controllers] == [1, 1]
            loser = hosts[0] if ups[0].role == hci.Role.PERIPHERAL else hosts[1]
            winner = hosts[1] if loser is hosts[0] else hosts[0]
            assert await winner.cancel() == DISALLOWED
            assert await loser.cancel() == SUCCESS
            assert (await loser.connected()).status == UNKNOWN

    run(test())


def test_dialling_is_refused_where_it_makes_no_sense() -> None:
    async def test() -> None:
        async with room() as there:
            central, _, peripheral, _ = await there.linked_pair()
            assert await central.dial(peripheral.public) == EXISTS
            assert await peripheral.dial(central.public) == EXISTS
            assert await central.dial(STATIC, own=1) == INVALID  # no random address was set
            assert await central.dial(STATIC, own=2) == INVALID  # no privacy
            assert await central.dial(STATIC, timeout=9) == INVALID
            assert await central.dial(STATIC, interval=3) == INVALID
            assert await central.dial(STATIC, interval=100, timeout=25) == INVALID  # timeout of two intervals
            assert await central.dial(STATIC) == SUCCESS
            assert await central.dial(STATIC) == DISALLOWED

    run(test())


def test_the_kind_of_address_matters() -> None:
    """The same six bytes, public and random, are two devices."""

    async def test() -> None:
        async with room() as there:
            central, peripheral = await there.host(), await there.host()
            twin = hci.Address(bytes(peripheral.public), hci.Address.RANDOM_DEVICE_ADDRESS)
            await peripheral.advertise()
            assert await central.dial(twin) == SUCCESS
            await asyncio.sleep(0.06)
            assert not central.all(Connected)
            assert await central.cancel() == SUCCESS
            assert (await central.connected()).status == UNKNOWN
            assert await central.dial(peripheral.public) == SUCCESS
            assert (await central.connected()).status == SUCCESS

    run(test())


def test_random_addresses_on_both_ends() -> None:
    async def test() -> None:
        async with room() as there:
            other = hci.Address("D0:00:00:00:00:0B")
            central, peripheral = await there.host(STATIC), await there.host(other)
            await peripheral.advertise(own=1)
            assert await central.dial(other, own=1) == SUCCESS
            up, also_up = await central.connected(), await peripheral.connected()
            assert (up.peer_address, up.peer_address_type) == (other, 1)
            assert (also_up.peer_address, also_up.peer_address_type) == (STATIC, 1)

    run(test())


def test_one_random_address_used_twice_is_two_transmitters() -> None:
    """The first that is heard gets the connection; nothing else breaks."""

    async def test() -> None:
        async with room() as there:
            central = await there.host()
            twins = [await there.host(STATIC), await there.host(STATIC)]
            assert await central.dial(STATIC) == SUCCESS
            for twin in twins:
                await twin.advertise(own=1)
            up = await central.connected()
            await twins[0].connected()
            assert not twins[1].all(Connected)
            central.send_data(up.connection_handle, b"\x01\x00\x04\x00x")
            assert (await twins[0].take(hci.HCI_AclDataPacket)).data == b"\x01\x00\x04\x00x"
            assert await twins[0].dial(STATIC, own=1) == SUCCESS  # even this: a link to one's own address
            await twins[0].connected()

    run(test())


def test_initiating_by_accept_list() -> None:
    async def test() -> None:
        async with room() as there:
            central, wanted, other = [await there.host() for _ in range(3)]
            command = hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(address_type=0, address=wanted.public)
            assert await central.ask(command) == SUCCESS
            await other.advertise()
            assert await central.dial(hci.Address.ANY, policy=1) == SUCCESS
            await asyncio.sleep(0.06)
            await wanted.advertise()
            assert (await central.connected()).peer_address == wanted.public

    run(test())


def test_accept_list_is_bounded() -> None:
    async def test() -> None:
        async with room() as there:
            host = await there.host()

            async def add(number: int) -> object:
                address = hci.Address(bytes([number, 0, 0, 0, 0, 0xC0]))
                return await host.ask(
                    hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(address_type=1, address=address)
                )

            assert [await add(number) for number in range(8)] == [SUCCESS] * 8
            assert await add(8) == hci.HCI_ErrorCode.MEMORY_CAPACITY_EXCEEDED_ERROR
            assert await add(7) == SUCCESS  # it is there already
            assert await host.ask(hci.HCI_LE_Clear_Filter_Accept_List_Command()) == SUCCESS
            assert await add(8) == SUCCESS

    run(test())


def test_cancel_cancels() -> None:
    async def test() -> None:
        async with room() as there:
            central, peripheral = await there.host(), await there.host()
            assert await central.cancel() == DISALLOWED
            assert await central.dial(peripheral.public) == SUCCESS
            assert await central.cancel() == SUCCESS
            over = await central.connected()
            assert (over.status, over.peer_address) == (UNKNOWN, peripheral.public)
            assert await central.cancel() == DISALLOWED
            await peripheral.advertise()
            await asyncio.sleep(0.06)
            assert not central.all(Connected)
            assert not peripheral.all(Connected)

    run(test())


def test_the_answer_to_cancel_comes_before_the_event() -> None:
    async def test() -> None:
        async with room() as there:
            host = await there.host()
            assert await host.dial(STATIC) == SUCCESS
            host.received.clear()
            host.send(hci.HCI_LE_Create_Connection_Cancel_Command())
            await until(lambda: len(host.received) == 2)
            assert isinstance(host.received[0], hci.HCI_Command_Complete_Event)
            assert isinstance(host.received[1], Connected)

    run(test())


def test_the_cancel_event_can_be_left_out() -> None:
    async def test() -> None:
        async with room(cancel_event=False) as there:
            host = await there.host()
            assert await host.dial(STATIC) == SUCCESS
            assert await host.cancel() == SUCCESS
            await host.sync()
            assert not host.all(Connected)
            assert await host.dial(STATIC) == SUCCESS

    run(test())


@pytest.mark.parametrize("asking", [0, 1])
def test_connection_update_reaches_both_ends(asking: int) -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, other_handle = await there.linked_pair()
            ends = ((central, handle), (peripheral, other_handle))
            assert await ends[asking][0].ask(update(ends[asking][1])) == SUCCESS
            for host, own_handle in ends:
                event = await host.take(hci.HCI_LE_Connection_Update_Complete_Event)
                assert (event.status, event.connection_handle) == (SUCCESS, own_handle)
                assert (event.connection_interval, event.peripheral_latency, event.supervision_timeout) == (80, 1, 400)
            assert await central.ask(update(0x123)) == UNKNOWN
            assert await central.ask(update(handle, timeout=3)) == INVALID

    run(test())


def test_disconnect_tells_both_ends() -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, other_handle = await there.linked_pair()
            assert await peripheral.hang_up(other_handle, 0x13) == SUCCESS
            mine, theirs = await peripheral.disconnected(), await central.disconnected()
            assert (mine.connection_handle, mine.reason) == (other_handle, 0x16)
            assert (theirs.connection_handle, theirs.reason) == (handle, 0x13)
            assert await central.hang_up(handle) == UNKNOWN
            assert await there.link(central, peripheral)

    run(test())


def test_disconnect_of_what_is_not_there() -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, *_ = await there.linked_pair()
            assert await central.hang_up(0x0ABC) == UNKNOWN
            assert await central.hang_up(handle, reason=0x08) == INVALID
            await central.sync()
            assert not central.all(Disconnected)

    run(test())


def test_crossing_disconnects_are_one_event_each() -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, other_handle = await there.linked_pair()
            answers = await asyncio.gather(central.hang_up(handle), peripheral.hang_up(other_handle))
            assert sorted(answers) == [SUCCESS, UNKNOWN]
            for host in (central, peripheral):
                await host.disconnected()
                await host.sync()
                assert not host.all(Disconnected)

    run(test())


def test_handles_are_not_reused_at_once() -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, _ = await there.linked_pair()
            await central.hang_up(handle)
            await central.disconnected()
            await peripheral.disconnected()
            new_handle, *_ = await there.link(central, peripheral)
            assert new_handle != handle

    run(test())


def test_many_links_on_one_controller() -> None:
    async def test() -> None:
        async with room() as there:
            hub = await there.host()
            spokes: list[tuple[HciHost, int]] = []
            for _ in range(30):
                spoke = await there.host()
                handle, *_ = await there.link(hub, spoke)
                spokes.append((spoke, handle))
            for number, (_, handle) in enumerate(spokes):
                hub.send_data(handle, bytes([1, 0, 4, 0, number]))
            for number, (spoke, _) in enumerate(spokes):
                assert (await spoke.take(hci.HCI_AclDataPacket)).data == bytes([1, 0, 4, 0, number])

    run(test())
