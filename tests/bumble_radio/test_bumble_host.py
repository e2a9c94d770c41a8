"""bumble's own stack on the radio: what ``BumbleDriver`` will do, end to end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from bumble import core, hci
from bumble.device import Connection, Device, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.host import Host
from bumble.transport import open_transport

from .hosts import Room, room, run, until

SERVICE = "37145B00-442D-4A94-917F-8F42C5DA28E3"
RX = "37145B00-442D-4A94-917F-8F42C5DA28E5"
TX = "37145B00-442D-4A94-917F-8F42C5DA28E4"


@contextlib.asynccontextmanager
async def device(there: Room, address: str) -> AsyncIterator[Device]:
    transport = await open_transport(f"tcp-client:127.0.0.1:{there.server.port}")
    made = Device(name="node", address=hci.Address(address), host=Host(transport.source, transport.sink))
    await made.power_on()
    try:
        yield made
    finally:
        await transport.close()
        await transport.source.terminated


class Peripheral:
    """A GATT server that collects what is written and can notify."""

    def __init__(self, host: Device) -> None:
        self.host = host
        self.written: list[bytes] = []
        self.tx: Characteristic[bytes] = Characteristic(
            TX, Characteristic.Properties.READ | Characteristic.Properties.NOTIFY, Characteristic.READABLE, b""
        )
        rx: Characteristic[bytes] = Characteristic(
            RX,
            Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
            Characteristic.WRITEABLE,
            CharacteristicValue(write=lambda _, value: self.written.append(value)),
        )
        host.add_service(Service(SERVICE, [self.tx, rx]))

    @property
    def connection(self) -> Connection:
        return next(iter(self.host.connections.values()))


@pytest.mark.parametrize("own", [hci.OwnAddressType.RANDOM, hci.OwnAddressType.PUBLIC])
def test_gatt_both_ways(own: hci.OwnAddressType) -> None:
    async def test() -> None:
        async with (
            room() as there,
            device(there, "C4:00:00:00:00:0A") as a,
            device(there, "C4:00:00:00:00:0B") as b,
        ):
            server = Peripheral(b)
            await b.start_advertising(own_address_type=own, advertising_interval_min=20, advertising_interval_max=20)
            target = b.public_address if own == hci.OwnAddressType.PUBLIC else b.random_address
            connection = await a.connect(target, own_address_type=own)
            assert connection.peer_address == target
            peer = Peer(connection)
            assert await peer.request_mtu(517) == 517
            (service,) = await peer.discover_service(core.UUID(SERVICE))
            await service.discover_characteristics()
            (rx,) = service.get_characteristics_by_uuid(core.UUID(RX))
            (tx,) = service.get_characteristics_by_uuid(core.UUID(TX))
            notified: list[bytes] = []
            await tx.subscribe(notified.append)
            frames = [number.to_bytes(2, "big") * 255 for number in range(100)]
            for frame in frames:
                await rx.write_value(frame, with_response=False)
                await b.notify_subscriber(server.connection, server.tx, frame)
            await until(lambda: len(server.written) == 100 and len(notified) == 100)
            assert server.written == frames
            assert notified == frames

    run(test())


def test_connect_times_out_and_the_next_one_works() -> None:
    """bumble cancels after its timeout and then waits for the event that follows."""

    async def test() -> None:
        async with (
            room() as there,
            device(there, "C4:00:00:00:00:0A") as a,
            device(there, "C4:00:00:00:00:0B") as b,
        ):
            with pytest.raises(core.TimeoutError):
                await a.connect(b.random_address, timeout=0.05)
            await b.start_advertising(advertising_interval_min=20, advertising_interval_max=20)
            assert (await a.connect(b.random_address, timeout=2)).peer_address == b.random_address

    run(test())


def test_a_killed_peer_is_a_disconnection() -> None:
    async def test() -> None:
        async with room() as there, device(there, "C4:00:00:00:00:0A") as a:
            async with device(there, "C4:00:00:00:00:0B") as b:
                await b.start_advertising(advertising_interval_min=20, advertising_interval_max=20)
                connection = await a.connect(b.random_address)
                reasons: list[int] = []
                connection.on("disconnection", reasons.append)
            await until(lambda: reasons)
            assert reasons == [hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR]
            assert not a.connections

    run(test())


def test_scanning() -> None:
    async def test() -> None:
        async with (
            room() as there,
            device(there, "C4:00:00:00:00:0A") as a,
            device(there, "C4:00:00:00:00:0B") as b,
        ):
            await b.start_advertising(
                advertising_data=b"\x02\x01\x06",
                scan_response_data=b"\x03\x09hi",
                advertising_interval_min=20,
                advertising_interval_max=20,
            )
            for active, expected in ((True, b"\x02\x01\x06\x03\x09hi"), (False, b"\x02\x01\x06")):
                found = asyncio.get_running_loop().create_future()
                a.once("advertisement", found.set_result)
                await a.start_scanning(active=active, filter_duplicates=True)
                advertisement = await found
                await a.stop_scanning()
                assert (advertisement.address, advertisement.rssi) == (b.random_address, -50)
                assert bytes(advertisement.data) == expected

    run(test())
