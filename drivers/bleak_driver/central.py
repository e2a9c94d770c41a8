"""The central's part on BlueZ: set up a link with bleak, write frames, end it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice as FoundDevice
from bleak.exc import BleakError

from ble_driver import (
    IDENTITY_LENGTH,
    GattUUIDs,
    Link,
    LinkError,
    NotOurServiceError,
    OwnIdentityError,
    PeerRefusedError,
    RadioError,
    Role,
    clamp_mtu,
)

from .errors import BLEAK_ERRORS, link_error, past_races

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that bleak gets to end a connection; bluetoothd itself takes 2 to 2.75 for it (seen).
DISCONNECT_TIMEOUT = 3.5


class MissingCharacteristicError(NotOurServiceError):
    """A characteristic is not there, or not yet: BlueZ may show what the peer had before, for a moment."""


@dataclass(eq=False)
class BlueZLink(Link):
    """A link on BlueZ; `client` and `rx` only if this node dialled."""

    client: BleakClient | None = None
    rx: BleakGATTCharacteristic | None = None


class Central:
    """Sets up the links that this node dials, writes to them, ends them.

    Args:
        adapter: the adapter's name.
        uuids: of the service and its characteristics.
        discovery_timeout: seconds that the services of a peer may take.
        mtu_of: returns the ATT MTU of the link to the peer that has the characteristic at a D-Bus path.
        on_frame: is called with each notification.
        on_lost: is called when a link that was set up is gone.
        is_forestalled: whether the peer at an address has a link of its own to us, which must stay.
    """

    def __init__(
        self,
        adapter: str,
        uuids: GattUUIDs,
        discovery_timeout: float,
        mtu_of: Callable[[str], Awaitable[int]],
        on_frame: Callable[[BlueZLink, bytes], Any],
        on_lost: Callable[[BlueZLink], Any],
        is_forestalled: Callable[[str], bool],
    ) -> None:
        self._adapter = adapter
        self._uuids = uuids
        self._discovery_timeout = discovery_timeout
        self._mtu_of = mtu_of
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._is_forestalled = is_forestalled
        self._clients: dict[BleakClient, BlueZLink | None] = {}  # all that hold a connection to D-Bus
        self._tasks: set[asyncio.Task[Any]] = set()

    async def set_up(self, device: FoundDevice, own_identity: bytes | None) -> BlueZLink:
        """Make a link of a connection that was just opened (PROTOCOL.md, Link set-up).

        Cancelled because the peer's own link came first, it is let run to its end: bleak, when cancelled, disconnects.

        Raises:
            LinkError: and its kinds, for every reason why it does not succeed.
        """
        work = self._spawn(self._set_up(device, own_identity))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if not self._is_forestalled(device.address):
                work.cancel()
                await asyncio.wait([work])
            raise

    async def _set_up(self, device: FoundDevice, own_identity: bytes | None) -> BlueZLink:
        client: BleakClient | None = None
        try:
            client = BleakClient(
                device,
                self._on_disconnected,
                services=[self._uuids.service],
                timeout=self._discovery_timeout,
                bluez={"adapter": self._adapter},
            )
            await client.connect()
            self._clients[client] = None
            link = await self._link(client, device.address, own_identity)
            if not client.is_connected:
                raise PeerRefusedError(f"{device.address} ended the link while it was set up")
        except BaseException as error:
            if client is not None:
                await self._release(client)
            if isinstance(error, LinkError) or not isinstance(error, (RadioError, *BLEAK_ERRORS)):
                raise
            raise link_error(f"BlueZ reports of {device.address}", error) from error
        return link

    async def _link(self, client: BleakClient, address: str, own_identity: bytes | None) -> BlueZLink:
        uuids = (self._uuids.rx, self._uuids.tx, self._uuids.identity)
        rx, tx, identity = (_find(client, self._uuids.service, uuid) for uuid in uuids)
        told = await _read_identity(client, identity)
        if told == own_identity:
            raise OwnIdentityError(f"{address} has our own identity")
        # After an answer of the peer: BlueZ has exchanged the MTU before.
        mtu = clamp_mtu(await self._mtu_of(rx.obj[0]))
        link = BlueZLink(address, Role.CENTRAL, mtu, told, client=client, rx=rx)
        await past_races(
            lambda: client.start_notify(tx, lambda _, value: self._on_frame(link, bytes(value))),
            lambda: client.is_connected,
        )
        self._clients[client] = link
        return link

    def _on_disconnected(self, client: BleakClient) -> None:
        link = self._clients.get(client)
        if link is not None:
            self._on_lost(link)
        # bleak keeps its connection to D-Bus until it is told to disconnect.
        self._spawn(self._hang_up(client))

    async def close(self, link: BlueZLink) -> None:
        """End a link that we opened; harmless if it has ended."""
        if link.client is not None:
            await self._release(link.client)

    async def close_all(self) -> None:
        """End every connection that we opened."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*map(self._hang_up, list(self._clients)))

    async def _release(self, client: BleakClient) -> None:
        """End a connection, unless it is the peer's as well: then it is kept until the peer ends it."""
        if not self._is_forestalled(client.address):
            await self._hang_up(client)

    async def _hang_up(self, client: BleakClient) -> None:
        if client not in self._clients:
            return  # somebody else is at it, or bleak itself while it dials
        del self._clients[client]
        try:
            await asyncio.wait_for(client.disconnect(), DISCONNECT_TIMEOUT)
        except (*BLEAK_ERRORS, AssertionError) as error:
            logger.debug("disconnecting from %s: %r", client.address, error)

    def _spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody may be waiting any more
        return task


def _find(client: BleakClient, service_uuid: str, uuid: str) -> BleakGATTCharacteristic:
    for service in client.services:
        for characteristic in service.characteristics:
            if service.uuid.lower() == service_uuid and characteristic.uuid.lower() == uuid:
                return characteristic
    raise MissingCharacteristicError(f"{client.address} does not have the characteristic {uuid}")


async def _read_identity(client: BleakClient, characteristic: BleakGATTCharacteristic) -> bytes:
    try:
        identity = bytes(await client.read_gatt_char(characteristic))
    except BleakError as error:
        if not client.is_connected:
            raise PeerRefusedError(f"{client.address} ended the link while it was set up") from error
        raise NotOurServiceError(f"{client.address} refuses to tell its identity: {error}") from error
    if len(identity) != IDENTITY_LENGTH:
        raise NotOurServiceError(f"{client.address} tells an identity of {len(identity)} bytes, not {IDENTITY_LENGTH}")
    return identity


async def write(link: BlueZLink, frame: bytes, acknowledged: bool) -> None:
    """Write one frame, as a request if it is to be acknowledged. Raises LinkError."""
    assert link.client is not None
    assert link.rx is not None
    client, rx = link.client, link.rx
    try:
        await past_races(lambda: client.write_gatt_char(rx, frame, response=acknowledged), lambda: client.is_connected)
    except BLEAK_ERRORS as error:
        raise link_error(f"writing to {link.address}", error) from error
