"""ACL data: complete, in order, on the right link, and never more than somebody is ready to take."""

from __future__ import annotations

import asyncio

import pytest
from bumble import hci

from drivers.bumble_driver.radio import server

from .hosts import SUCCESS, HciHost, completed, room, run, until, update

Data = hci.HCI_AclDataPacket
Completed = hci.HCI_Number_Of_Completed_Packets_Event


def test_packets_arrive_in_order_and_with_conforming_flags() -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, other_handle = await there.linked_pair()
            sent = [(0, b"\xff\x01\x04\x00" + bytes(247)), (1, bytes(251)), (1, b"end"), (2, b"\x00\x00\x04\x00")]
            for boundary, data in sent:
                central.send_data(handle, data, boundary)
            await until(lambda: len(peripheral.all(Data)) == 4)
            assert [(packet.pb_flag, packet.data) for packet in peripheral.all(Data)] == [
                (0b10, sent[0][1]),
                (0b01, sent[1][1]),
                (0b01, sent[2][1]),
                (0b10, sent[3][1]),
            ]
            assert {packet.connection_handle for packet in peripheral.all(Data)} == {other_handle}
            await until(lambda: completed(central) == 4)

    run(test())


def test_data_is_of_the_link_and_not_of_an_address() -> None:
    """A peripheral whose two links differ only in what the centrals call themselves."""

    async def test() -> None:
        async with room() as there:
            same = hci.Address("C0:00:00:00:00:01")
            public, random, peripheral = await there.host(), await there.host(same), await there.host()
            await peripheral.advertise()
            await public.dial(peripheral.public)
            one, other_end_of_one = await public.connected(), await peripheral.connected()
            await peripheral.advertise()
            await random.dial(peripheral.public, own=1)
            two, other_end_of_two = await random.connected(), await peripheral.connected()
            # A new random address is no change to a link that exists.
            assert await random.ask(hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address("C9" * 6))) == 0
            public.send_data(one.connection_handle, b"one")
            random.send_data(two.connection_handle, b"two")
            await until(lambda: len(peripheral.all(Data)) == 2)
            assert {packet.connection_handle: packet.data for packet in peripheral.all(Data)} == {
                other_end_of_one.connection_handle: b"one",
                other_end_of_two.connection_handle: b"two",
            }
            peripheral.send_data(other_end_of_two.connection_handle, b"back")
            assert (await random.take(Data)).data == b"back"
            assert not public.all(Data)

    run(test())


def test_data_for_a_link_that_just_ended_is_ignored() -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, other_handle = await there.linked_pair()
            await peripheral.hang_up(other_handle)
            central.send_data(handle, b"late")
            await central.sync()
            assert not peripheral.all(Data)
            assert (
                completed(central) == 0
            )  # the host has flushed them, to complete them as well would be once too often

    run(test())


def test_an_empty_packet_is_taken_and_goes_nowhere() -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, _ = await there.linked_pair()
            central.send_data(handle, b"")
            await until(lambda: completed(central) == 1)
            assert not peripheral.all(Data)

    run(test())


def test_a_flag_that_le_does_not_have_costs_the_connection() -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, *_ = await there.linked_pair()
            central.send_data(handle, b"x", 0b11)
            await central.lost.wait()

    run(test())


async def flood(sender: HciHost, handle: int, packets: int) -> int:
    """Send as bumble's host does, 64 packets at a time; return how many could be sent before the radio said stop."""
    sent = 0
    while sent < packets:
        burst = min(64 - (sent - completed(sender)), packets - sent)
        for _ in range(burst):
            sender.send_data(handle, b"\xf7\x00\x04\x00" + sent.to_bytes(4, "big") + bytes(243))
            sent += 1
        before = completed(sender)
        try:
            async with asyncio.timeout(0.2):
                while completed(sender) == before:  # noqa: ASYNC110 - as in `until`, but running out is no failure
                    await asyncio.sleep(0.001)
        except TimeoutError:
            break
    return sent


def test_a_host_that_does_not_read_stops_its_senders_and_loses_nothing() -> None:
    async def test() -> None:
        async with room() as there:
            sender, receiver = await there.host(), await there.host(receive_buffer=16 * 1024)
            handle, *_ = await there.link(sender, receiver, timeout=3200)
            await receiver.advertise()
            await sender.scan()
            receiver.transport.pause_reading()
            sent = await flood(sender, handle, 20_000)
            assert sent < 2000  # 4.9 MB were offered, and half a megabyte at most was taken
            assert sent - completed(sender) == 64
            buffered = [port.waiting for port in there.server._hosts]
            assert 64 * 1024 < max(buffered) < 128 * 1024
            # The stopped one is still on the air and the sender is not harmed.
            sender.received = [packet for packet in sender.received if isinstance(packet, Completed)]
            await sender.take(hci.HCI_LE_Advertising_Report_Event)
            receiver.transport.resume_reading()
            await until(lambda: completed(sender) == sent)
            await until(lambda: len(receiver.all(Data)) == sent)
            numbers = [int.from_bytes(packet.data[4:8], "big") for packet in receiver.all(Data)]
            assert numbers == list(range(sent))

    run(test())


def test_reports_for_a_host_that_does_not_read_are_dropped() -> None:
    async def test() -> None:
        async with room() as there:
            sender, receiver = await there.host(), await there.host(receive_buffer=16 * 1024)
            handle, *_ = await there.link(sender, receiver, timeout=3200)
            await receiver.scan()
            receiver.transport.pause_reading()
            await flood(sender, handle, 20_000)
            controller = there.server.controllers[1]
            port = next(port for port, owner in there.server._hosts.items() if owner is controller)
            before = port.waiting
            await sender.advertise(bytes(31))
            for _ in range(1000):
                there.server.controllers[0].advertiser.send_advertising_data()
            assert port.waiting == before

    run(test())


def test_a_host_that_asks_and_does_not_read_is_not_read_either() -> None:
    """Its answers would fill memory; instead its own writes come to a halt."""

    async def test() -> None:
        async with room() as there:
            host, bystander = await there.host(receive_buffer=16 * 1024), await there.host()
            host.transport.pause_reading()
            question = bytes(hci.HCI_Read_Local_Supported_Commands_Command()) * 1000
            while host.transport.get_write_buffer_size() < 1_000_000:
                host.send(question)
                await asyncio.sleep(0)
            await bystander.sync()
            port = next(iter(there.server._hosts))
            assert port.waiting < 4 * 1024 * 1024
            size = port.waiting
            await asyncio.sleep(0.05)
            assert port.waiting == size
            host.transport.abort()

    run(test())


def test_a_host_that_is_made_to_overflow_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that a peer provokes are not under flow control, so there is a last bound."""
    monkeypatch.setattr(server, "_LIMIT", 100_000)

    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, _ = await there.linked_pair(timeout=10)
            peripheral.transport.pause_reading()
            command = bytes(update(handle, interval=24, latency=0, timeout=10))
            for _ in range(200):
                central.send(command * 500)
                await asyncio.sleep(0)
                if len(there.server.controllers) == 1:
                    break
            await central.disconnected()
            await central.sync()

    run(test())


def test_more_than_64_packets_outstanding_cost_the_connection() -> None:
    async def test() -> None:
        async with room() as there:
            sender, receiver = await there.host(), await there.host(receive_buffer=16 * 1024)
            handle, *_ = await there.link(sender, receiver, timeout=3200)
            receiver.transport.pause_reading()
            await flood(sender, handle, 20_000)
            sender.send_data(handle, b"one too many")
            await sender.lost.wait()

    run(test())


def test_buffers_come_back_when_a_link_ends() -> None:
    async def test() -> None:
        async with room() as there:
            sender, stopped, other = [await there.host(receive_buffer=size) for size in (None, 16 * 1024, None)]
            handle, *_ = await there.link(sender, stopped, timeout=3200)
            to_other, *_ = await there.link(sender, other)
            stopped.transport.pause_reading()
            await flood(sender, handle, 20_000)
            assert await sender.hang_up(handle) == SUCCESS
            sender.received.clear()
            assert await flood(sender, to_other, 300) == 300

    run(test())
