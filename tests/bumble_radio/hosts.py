"""A bare HCI host for tests, and the air they meet on.

It has no state of its own, so a test sees exactly what the controller said; bumble's ``Device`` is used where the whole
stack is the point.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from bumble import hci
from bumble.transport.common import PacketParser

from drivers.bumble_driver.radio import RadioServer

T = TypeVar("T")
E = TypeVar("E", bound=hci.HCI_Packet)

PATIENCE = 20.0
"""Seconds after which a test gives up on one thing, and three times as many on all. Nothing takes a tenth of it."""

SUCCESS = hci.HCI_ErrorCode.SUCCESS
INTERVAL = 0x0020
"""20 ms, the shortest advertising interval."""


def run(test: Coroutine[Any, Any, T]) -> T:
    """Run one test on a loop of its own; a test that hangs fails."""
    return asyncio.run(asyncio.wait_for(test, 3 * PATIENCE))


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - there is no event for most of what tests ask
            await asyncio.sleep(0.002)


class HciHost(asyncio.Protocol):
    """One TCP connection to the radio."""

    def __init__(self) -> None:
        self.received: list[hci.HCI_Packet] = []
        self.lost = asyncio.Event()
        self._arrival = asyncio.Event()
        self._parser = PacketParser()
        self._parser.set_packet_sink(self)
        self.transport: asyncio.Transport
        self.public = hci.Address.ANY

    # asyncio and bumble call these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_packet(self, packet: bytes) -> None:
        self.received.append(hci.HCI_Packet.from_bytes(packet))
        self._arrival.set()

    # Tests call these

    def send(self, packet: hci.HCI_Packet | bytes) -> None:
        self.transport.write(bytes(packet))

    def all(self, kind: type[E]) -> list[E]:
        """What came of that kind and was not taken yet."""
        return [packet for packet in self.received if isinstance(packet, kind)]

    async def take(self, kind: type[E], where: Callable[[E], object] = lambda _: True) -> E:
        """The first packet of that kind, once it is there."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for packet in self.received:
                    if isinstance(packet, kind) and where(packet):
                        self.received.remove(packet)
                        return packet
                self._arrival.clear()
                await self._arrival.wait()

    async def ask(self, command: hci.HCI_Command) -> Any:
        """Send a command and return its parameters (or, if there are none but a status, that)."""
        self.send(command)
        answer = await self.take(hci.HCI_Event, lambda event: getattr(event, "command_opcode", None) == command.op_code)
        if isinstance(answer, hci.HCI_Command_Status_Event):
            return answer.status
        assert isinstance(answer, hci.HCI_Command_Complete_Event)
        parameters = answer.return_parameters
        return parameters.status if type(parameters) is hci.HCI_StatusReturnParameters else parameters

    async def sync(self) -> None:
        """Return when everything that the radio had for us so far has come."""
        await self.ask(hci.HCI_Read_BD_ADDR_Command())

    async def advertise(
        self,
        data: bytes = b"",
        response: bytes = b"",
        *,
        kind: int = 0,
        own: int = 0,
        interval: int = INTERVAL,
    ) -> None:
        """Advertise; ``own`` is 0 for the public and 1 for the random address."""
        for command in (
            hci.HCI_LE_Set_Advertising_Parameters_Command(
                advertising_interval_min=interval,
                advertising_interval_max=interval,
                advertising_type=kind,
                own_address_type=own,
                peer_address_type=0,
                peer_address=hci.Address.ANY,
                advertising_channel_map=7,
                advertising_filter_policy=0,
            ),
            hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=data),
            hci.HCI_LE_Set_Scan_Response_Data_Command(scan_response_data=response),
            hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1),
        ):
            assert await self.ask(command) == SUCCESS

    async def stop_advertising(self) -> None:
        assert await self.ask(hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=0)) == SUCCESS

    async def scan(self, *, active: bool = False, filter_duplicates: bool = False, policy: int = 0) -> None:
        assert (
            await self.ask(
                hci.HCI_LE_Set_Scan_Parameters_Command(
                    le_scan_type=int(active),
                    le_scan_interval=0x10,
                    le_scan_window=0x10,
                    own_address_type=0,
                    scanning_filter_policy=policy,
                )
            )
            == SUCCESS
        )
        command = hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=int(filter_duplicates))
        assert await self.ask(command) == SUCCESS

    async def stop_scanning(self) -> None:
        command = hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=0, filter_duplicates=0)
        assert await self.ask(command) == SUCCESS

    async def dial(
        self,
        peer: hci.Address,
        *,
        own: int = 0,
        timeout: int = 20,
        interval: int = 24,
        latency: int = 0,
        policy: int = 0,
    ) -> Any:
        """LE Create Connection; ``timeout`` in units of 10 ms. Returns the status of the command."""
        return await self.ask(
            hci.HCI_LE_Create_Connection_Command(
                le_scan_interval=0x10,
                le_scan_window=0x10,
                initiator_filter_policy=policy,
                peer_address_type=peer.address_type,
                peer_address=peer,
                own_address_type=own,
                **_link_parameters(interval, latency, timeout),
            )
        )

    async def cancel(self) -> Any:
        return await self.ask(hci.HCI_LE_Create_Connection_Cancel_Command())

    async def hang_up(self, handle: int, reason: int = 0x13) -> Any:
        return await self.ask(hci.HCI_Disconnect_Command(connection_handle=handle, reason=reason))

    async def connected(self) -> hci.HCI_LE_Connection_Complete_Event:
        return await self.take(hci.HCI_LE_Connection_Complete_Event)

    async def disconnected(self) -> hci.HCI_Disconnection_Complete_Event:
        return await self.take(hci.HCI_Disconnection_Complete_Event)

    def send_data(self, handle: int, data: bytes, boundary: int = 0) -> None:
        self.send(struct.pack("<BHH", 2, handle | boundary << 12, len(data)) + data)

    def close(self) -> None:
        self.transport.close()


async def attach(port: int, *, receive_buffer: int | None = None) -> HciHost:
    """A host on the radio at ``port``, its controller reset."""
    wire = socket.socket()
    if receive_buffer is not None:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    wire.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(wire, ("127.0.0.1", port))
    _, host = await loop.create_connection(HciHost, sock=wire)
    assert await host.ask(hci.HCI_Reset_Command()) == SUCCESS
    host.public = (await host.ask(hci.HCI_Read_BD_ADDR_Command())).bd_addr
    return host


class Room:
    """A radio and the hosts in it."""

    def __init__(self, server: RadioServer) -> None:
        self.server = server
        self.hosts: list[HciHost] = []

    async def host(self, random: hci.Address | None = None, *, receive_buffer: int | None = None) -> HciHost:
        host = await attach(self.server.port, receive_buffer=receive_buffer)
        self.hosts.append(host)
        if random is not None:
            assert await host.ask(hci.HCI_LE_Set_Random_Address_Command(random_address=random)) == SUCCESS
        return host

    async def linked_pair(self, *, timeout: int = 20) -> tuple[HciHost, int, HciHost, int]:
        """Central, its handle, peripheral, its handle."""
        central, peripheral = await self.host(), await self.host()
        return central, *(await self.link(central, peripheral, timeout=timeout))

    async def link(self, central: HciHost, peripheral: HciHost, *, timeout: int = 20) -> tuple[int, HciHost, int]:
        assert await central.dial(peripheral.public, timeout=timeout) == SUCCESS
        await peripheral.advertise()
        up, also_up = await central.connected(), await peripheral.connected()
        return up.connection_handle, peripheral, also_up.connection_handle


@contextlib.asynccontextmanager
async def room(**options: Any) -> AsyncIterator[Room]:
    """A radio for the length of a test; the options are those of ``RadioServer``."""
    server = RadioServer(port=0, **options)
    await server.start()
    there = Room(server)
    try:
        yield there
    finally:
        await server.close()
        for host in there.hosts:
            host.transport.abort()
        await asyncio.gather(*(host.lost.wait() for host in there.hosts))


def completed(host: HciHost) -> int:
    """Return how many buffers a host has got back."""
    return sum(sum(event.num_completed_packets) for event in host.all(hci.HCI_Number_Of_Completed_Packets_Event))


def _link_parameters(interval: int, latency: int, timeout: int) -> dict[str, int]:
    """What LE Create Connection and LE Connection Update ask for in the same fields."""
    return {
        "connection_interval_min": interval,
        "connection_interval_max": interval,
        "max_latency": latency,
        "supervision_timeout": timeout,
        "min_ce_length": 0,
        "max_ce_length": 0,
    }


def update(handle: int, interval: int = 80, latency: int = 1, timeout: int = 400) -> hci.HCI_Command:
    """LE Connection Update."""
    return hci.HCI_LE_Connection_Update_Command(
        connection_handle=handle,
        **_link_parameters(interval, latency, timeout),
    )
