"""The central's part on BlueZ: dial with bleak, set up the link, write frames in windows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bleak import BleakClient
from bleak.backends.device import BLEDevice as FoundDevice
from bleak.exc import BleakDBusError, BleakError
from bleak_retry_connector import establish_connection

from ble_driver import (
    DEFAULT_MTU,
    IDENTITY_LENGTH,
    MAX_MTU,
    GattUUIDs,
    Link,
    LinkError,
    NotOurServiceError,
    OwnIdentityError,
    PeerRefusedError,
    Role,
)

logger = logging.getLogger(__name__)

#: Frames from one write request to the next. BlueZ acknowledges a write command at once, whatever the radio does; a
#: write request is answered only after all earlier frames were taken (PROTOCOL.md, BlueZ facts).
WINDOW = 8
#: Errors of BlueZ that are races of the radio and not a refusal by the peer (PROTOCOL.md, BlueZ facts).
RACES = ("br-connection-canceled", "le-connection-abort-by-local", "InProgress", "already in progress", "NotReady")
#: Attempts at a step that met such a race, and the seconds between them.
RACE_ATTEMPTS, RACE_PAUSE = 3, 0.3
#: What bleak raises: its own errors, and those of D-Bus under it.
BLEAK_ERRORS = (BleakError, EOFError, OSError, asyncio.TimeoutError)
#: Seconds that bleak gets to end a connection.
DISCONNECT_TIMEOUT = 2.5


@dataclass(eq=False)
class BlueZLink(Link):
    """A link on BlueZ; `client` and `rx` only if this node dialled."""

    client: BleakClient | None = None
    rx: Any = None
    since_request: int = field(default=0)


def is_race(error: BaseException) -> bool:
    """Whether an error of BlueZ says nothing about the peer."""
    return any(word in str(error) for word in RACES)


async def dial(
    device: FoundDevice,
    adapter: str,
    uuids: GattUUIDs,
    own_identity: bytes | None,
    on_frame: Callable[[BlueZLink, bytes], Any],
    on_lost: Callable[[BlueZLink | None], Any],
) -> BlueZLink:
    """Connect and set up a link (PROTOCOL.md, Link set-up).

    Raises:
        LinkError: and its kinds, for every reason why it does not succeed.
    """
    links: list[BlueZLink] = []
    client: BleakClient | None = None
    try:
        # Repeats an attempt that met one of the radio's races; each ends with our own time-out, which cancels it.
        client = await establish_connection(
            BleakClient,
            device,
            device.address,
            lambda _: on_lost(links[0] if links else None),
            use_services_cache=False,
            services=[uuids.service],
            bluez={"adapter": adapter},
        )
        link = await _set_up(client, device.address, uuids, own_identity, on_frame, links)
    except BaseException as error:
        if client is not None:
            await hang_up(client)
        if isinstance(error, LinkError) or not isinstance(error, BLEAK_ERRORS):
            raise
        raise LinkError(f"BlueZ reports of {device.address}: {error or type(error).__name__}") from error
    if not client.is_connected:
        raise PeerRefusedError(f"{device.address} ended the link while it was set up")
    return link


async def _set_up(
    client: BleakClient,
    address: str,
    uuids: GattUUIDs,
    own_identity: bytes | None,
    on_frame: Callable[[BlueZLink, bytes], Any],
    links: list[BlueZLink],
) -> BlueZLink:
    found = {c.uuid.lower(): c for s in client.services if s.uuid.lower() == uuids.service for c in s.characteristics}
    for uuid in (uuids.rx, uuids.tx, uuids.identity):
        if uuid not in found:
            raise NotOurServiceError(f"{address} does not have the characteristic {uuid}")
    try:
        identity = bytes(await client.read_gatt_char(found[uuids.identity]))
    except BleakError as error:
        if not client.is_connected:
            raise PeerRefusedError(f"{address} ended the link while it was set up") from error
        raise NotOurServiceError(f"{address} refuses to tell its identity: {error}") from error
    if len(identity) != IDENTITY_LENGTH:
        raise NotOurServiceError(f"{address} tells an identity of {len(identity)} bytes, not {IDENTITY_LENGTH}")
    if identity == own_identity:
        raise OwnIdentityError(f"{address} has our own identity")
    mtu = await _mtu(client)
    link = BlueZLink(address, Role.CENTRAL, mtu, identity, client=client, rx=found[uuids.rx])
    links.append(link)
    await client.start_notify(found[uuids.tx], lambda _, value: on_frame(link, bytes(value)))
    return link


async def _mtu(client: BleakClient) -> int:
    """Return the ATT MTU. bleak asks BlueZ for it only by this method, which it does not call itself."""
    try:
        await client._backend._acquire_mtu()  # type: ignore[attr-defined]  # only BlueZ's has it
    except (BleakDBusError, StopIteration) as error:
        logger.debug("the MTU of %s is not known: %r", client.address, error)
        return DEFAULT_MTU
    return max(DEFAULT_MTU, min(client.mtu_size, MAX_MTU))


async def write(link: BlueZLink, frame: bytes, acknowledged: bool) -> None:
    """Write one frame, every so many as a request, so that what waits in bluetoothd is bounded. Raises LinkError."""
    assert link.client is not None
    link.since_request = 0 if acknowledged else link.since_request + 1
    if link.since_request >= WINDOW:
        acknowledged, link.since_request = True, 0
    for attempt in range(1, RACE_ATTEMPTS + 1):
        try:
            await link.client.write_gatt_char(link.rx, frame, response=acknowledged)
            return
        except BLEAK_ERRORS as error:
            if attempt == RACE_ATTEMPTS or not is_race(error) or not link.client.is_connected:
                raise LinkError(f"writing to {link.address}: {error}") from error
            await asyncio.sleep(RACE_PAUSE)


async def hang_up(client: BleakClient) -> None:
    """End a connection that we opened; harmless if it has ended."""
    try:
        await asyncio.wait_for(client.disconnect(), DISCONNECT_TIMEOUT)
    except (*BLEAK_ERRORS, AssertionError) as error:
        logger.debug("disconnecting from %s: %r", client.address, error)
