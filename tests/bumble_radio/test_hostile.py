"""Whatever a client sends is that client's problem: not the daemon's, not its neighbours'."""

from __future__ import annotations

import asyncio
import itertools
import logging
import struct
from typing import Any

import pytest
from bumble import hci
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.bumble_driver.radio.commands import SERVED
from drivers.bumble_driver.radio.h4 import Deframer, ProtocolError

from .hosts import Room, room, run

UNKNOWN_COMMAND = hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR


def command(op_code: int, parameters: bytes) -> bytes:
    return struct.pack("<BHB", 1, op_code, len(parameters)) + parameters


def acl(handle: int, data: bytes) -> bytes:
    return struct.pack("<BHH", 2, handle, len(data)) + data


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x03\x00\x00\x00",  # synchronous data
        b"\x04\x0e\x00",  # an event, in the wrong direction
        b"\x05\x00\x00\x00\x00",  # isochronous data
        b"\xff\x00",
        acl(1, bytes(252)),
        b"\x02\x01\x00\xff\xff",
        command(hci.HCI_LE_CREATE_CONNECTION_COMMAND, b"\x10"),
        command(hci.HCI_LE_SET_RANDOM_ADDRESS_COMMAND, b"\x01\x02"),
        command(hci.HCI_DISCONNECT_COMMAND, b""),
    ],
    ids=lambda garbage: garbage[:4].hex(),
)
def test_garbage_costs_the_connection_and_one_line(garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with room() as there:
            hostile = await there.host()
            neighbours = await there.linked_pair()
            caplog.clear()
            hostile.send(garbage)
            async with asyncio.timeout(2):
                await hostile.lost.wait()
            await still_linked(*neighbours)

    with caplog.at_level(logging.WARNING):
        run(test())
    assert [record.levelname for record in caplog.records] == ["WARNING"], caplog.text
    assert "host dropped" in caplog.text


@pytest.mark.parametrize(
    "op_code",
    [
        0xFFFF,
        0xFC01,  # a vendor's
        hci.HCI_LE_EXTENDED_CREATE_CONNECTION_COMMAND,
        hci.HCI_LE_SET_EXTENDED_ADVERTISING_ENABLE_COMMAND,
        hci.HCI_CREATE_CONNECTION_COMMAND,
        hci.HCI_LE_CREATE_BIG_COMMAND,
        hci.HCI_LE_SET_PHY_COMMAND,
    ],
)
@pytest.mark.parametrize("parameters", [b"", bytes(40), bytes(255)], ids=len)
def test_unknown_commands_are_answered(op_code: int, parameters: bytes) -> None:
    async def test() -> None:
        async with room() as there:
            host = await there.host()
            assert await host.ask(hci.HCI_Command(parameters, op_code=op_code)) == UNKNOWN_COMMAND
            await host.sync()

    run(test())


def test_half_a_packet_is_waited_for() -> None:
    async def test() -> None:
        async with room() as there:
            host = await there.host()
            question = bytes(hci.HCI_Read_BD_ADDR_Command())
            for byte in question[:-1]:
                host.send(bytes([byte]))
                await asyncio.sleep(0)
            await asyncio.sleep(0.02)
            assert not host.received
            host.send(question[-1:])
            await host.take(hci.HCI_Command_Complete_Event)

    run(test())


def test_half_a_packet_and_gone() -> None:
    async def test() -> None:
        async with room() as there:
            hostile = await there.host()
            neighbours = await there.linked_pair()
            hostile.send(b"\x02\x01\x00\xfb")
            hostile.close()
            await hostile.lost.wait()
            await still_linked(*neighbours)

    run(test())


@given(
    packets=st.lists(
        st.one_of(
            st.binary(max_size=255).map(lambda parameters: command(0x0C03, parameters)),
            st.binary(max_size=251).map(lambda data: acl(1, data)),
        ),
        max_size=6,
    ),
    cuts=st.lists(st.integers(0, 1600), max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_packets_are_the_same_however_they_are_cut(packets: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(packets)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    deframer = Deframer(251)
    found: list[bytes] = []
    for start, end in itertools.pairwise(edges):
        found += deframer.feed(stream[start:end])
        assert len(deframer._partial) < 260
    assert found == packets


@given(stream=st.binary(max_size=2000))
@settings(max_examples=100, deadline=None)
def test_the_deframer_holds_no_more_than_a_packet(stream: bytes) -> None:
    deframer = Deframer(251)
    try:
        for byte in stream:
            list(deframer.feed(bytes([byte])))
            assert len(deframer._partial) < 260
    except ProtocolError:
        pass


NASTY = st.one_of(
    st.binary(max_size=40),
    st.builds(command, st.sampled_from(sorted(SERVED)), st.binary(max_size=70)),
    # Parameters that parse more often: small numbers where types, policies and handles are.
    st.builds(
        command,
        st.sampled_from(sorted(SERVED)),
        st.lists(st.sampled_from([0, 1, 2, 4, 16, 32, 255]), min_size=25, max_size=64).map(bytes),
    ),
    st.builds(acl, st.integers(0, 0xFFFF), st.binary(max_size=251)),
)


@given(streams=st.lists(st.lists(NASTY, min_size=1, max_size=12), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_fuzz(streams: list[list[bytes]]) -> None:
    """Whole sessions of nonsense by several clients at once, and the neighbours notice nothing."""

    async def test() -> None:
        surprises: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: surprises.append(context))
        async with room() as there:
            neighbours = await there.linked_pair(timeout=3200)
            await neighbours[0].advertise()
            clients = [await there.host() for _ in streams]
            for client, stream in zip(clients, streams, strict=True):
                for piece in stream:
                    client.send(piece)
                await asyncio.sleep(0)
            await still_linked(*neighbours)
            fresh = await there.host()
            await fresh.scan()
            await fresh.stop_scanning()
        assert not surprises

    run(test())


async def still_linked(central: Any, handle: int, peripheral: Any, other_handle: int) -> None:
    for sender, sender_handle, receiver in ((central, handle, peripheral), (peripheral, other_handle, central)):
        sender.send_data(sender_handle, b"\x01\x00\x04\x00?")
        assert (await receiver.take(hci.HCI_AclDataPacket)).data == b"\x01\x00\x04\x00?"


def test_many_hostile_clients_one_good_link() -> None:
    async def test() -> None:
        async with room() as there:
            neighbours = await there.linked_pair()
            await asyncio.gather(*(vandal(there, number) for number in range(40)))
            await still_linked(*neighbours)

    async def vandal(there: Room, number: int) -> None:
        host = await there.host()
        host.send(bytes([number * 5 + 6, 0xFF]) * 50)
        await host.lost.wait()

    run(test())
