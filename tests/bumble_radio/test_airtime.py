"""Data takes its time on an air with a bit rate, one packet of a sender after the other."""

from __future__ import annotations

import asyncio

import pytest
from bumble import hci

from drivers.bumble_driver.radio import Air

from .hosts import completed, room, run, until

Data = hci.HCI_AclDataPacket

BIT_RATE = 100_000
PACKETS, LENGTH = 8, 251


def test_the_longest_packet_takes_as_long_as_on_le_1m() -> None:
    # 2,120 us at most (Core Spec Vol 4, Part E, section 7.8.33) are with a MIC, which nothing here has.
    assert Air(bit_rate=1_000_000).airtime(251) == pytest.approx(0.002_088 + 0.000_150 + 0.000_080 + 0.000_150)
    assert Air().airtime(251) == 0.0


def test_a_buffer_comes_back_when_its_packet_has_arrived() -> None:
    async def test() -> None:
        air = Air(bit_rate=BIT_RATE)
        async with room(air=air) as there:
            central, handle, peripheral, _ = await there.linked_pair()
            loop = asyncio.get_running_loop()
            begun = loop.time()
            for number in range(PACKETS):
                central.send_data(handle, bytes((number,)) * LENGTH)
            while (back := completed(central)) < PACKETS:
                arrived = len(peripheral.all(Data))
                # What is counted as completed has been given to the other host by then, and is at most on its way.
                assert loop.time() - begun >= back * air.airtime(LENGTH) - 0.001
                assert arrived <= (loop.time() - begun) / air.airtime(LENGTH) + 0.1
                await asyncio.sleep(0.005)
            await until(lambda: len(peripheral.all(Data)) == PACKETS)
            assert [packet.data[0] for packet in peripheral.all(Data)] == list(range(PACKETS))

    run(test())


def test_links_of_one_sender_share_its_time() -> None:
    async def test() -> None:
        air = Air(bit_rate=BIT_RATE)
        async with room(air=air) as there:
            central, handle, first, _ = await there.linked_pair()
            second = await there.host()
            other_handle, _, _ = await there.link(central, second)
            loop = asyncio.get_running_loop()
            begun = loop.time()
            for _ in range(PACKETS // 2):
                central.send_data(handle, bytes(LENGTH))
                central.send_data(other_handle, bytes(LENGTH))
            await until(lambda: len(first.all(Data)) + len(second.all(Data)) == PACKETS)
            assert loop.time() - begun >= PACKETS * air.airtime(LENGTH) - 0.001

    run(test())


def test_what_is_on_the_air_when_a_link_ends_is_lost_and_its_buffers_come_back() -> None:
    async def test() -> None:
        async with room(air=Air(bit_rate=BIT_RATE)) as there:
            central, handle, peripheral, other_handle = await there.linked_pair()
            for _ in range(64):
                central.send_data(handle, bytes(LENGTH))
            await until(lambda: peripheral.all(Data))
            await peripheral.hang_up(other_handle)
            heard = len(peripheral.all(Data))
            assert heard < 64
            handle, peripheral, _ = await there.link(central, peripheral)
            for _ in range(64):  # one more than is free would cost the connection
                central.send_data(handle, bytes(1))
            await until(lambda: len(peripheral.all(Data)) == heard + 64)

    run(test())
