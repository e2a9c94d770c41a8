"""The central's part: initiate, and set up a link as the protocol says (PROTOCOL.md, Link set-up)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

from bumble import att, core, hci
from bumble.device import Connection, Device, Peer

from ble_driver import (
    IDENTITY_LENGTH,
    MAX_MTU,
    ExclusiveControlManager,
    GattUUIDs,
    LinkError,
    NotOurServiceError,
    OwnIdentityError,
    Role,
)

from .connection import BumbleLink, disconnect, link_errors, unless_lost

#: Connection parameters, in HCI units: interval 15 to 30 ms (1.25 ms), supervision timeout 2 s (10 ms), and a scan for
#: the peer that fills its interval of 60 ms (0.625 ms). Core Spec 5.4, Vol 4, Part E, 7.8.12.
INTERVAL_MIN, INTERVAL_MAX, SUPERVISION_TIMEOUT, SCAN_INTERVAL = 12, 24, 200, 96
#: Seconds that the controller gets to confirm that it no longer initiates.
CANCEL_TIMEOUT = 1.0
#: Seconds that a half-made link may take to end.
ABANDON_TIMEOUT = 1.0


class Initiator:
    """Opens connections, one at a time and not while it scans, because many a controller can do no more.

    bumble's own `Device.connect` takes whatever connection comes next for the one it asked for, be it another peer's
    to us, and does not give up an absent peer when it is cancelled. So this talks to the controller itself.
    """

    def __init__(self, device: Device, control: ExclusiveControlManager) -> None:
        self._device = device
        self._control = control
        # bumble looks here to learn which of our addresses a connection that we opened was opened with.
        device.connect_own_address_type = hci.OwnAddressType.RANDOM

    async def connect(self, address: hci.Address) -> Connection:
        """Return the connection to `address`; when cancelled, take the attempt back.

        Raises:
            LinkError: the controller refuses, or reports a failure.
        """
        async with self._control.client_operation(math.inf):  # the attempt as a whole has its time
            outcome: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

            def on_connection(connection: Connection) -> None:
                ours = connection.role == hci.Role.CENTRAL and connection.peer_address == address
                if ours and not outcome.done():
                    outcome.set_result(connection)

            def on_failure(error: core.ConnectionError) -> None:
                if not outcome.done():
                    outcome.set_exception(LinkError(f"the controller reports: {error.error_name}"))

            self._device.on(Device.EVENT_CONNECTION, on_connection)
            self._device.on(Device.EVENT_CONNECTION_FAILURE, on_failure)
            # It runs to its end when this is cancelled: bumble loses its way if nobody waits for an answer any more.
            command = asyncio.ensure_future(self._device.send_async_command(_create_connection(address)))
            try:
                with link_errors(f"initiating to {address}"):
                    await asyncio.shield(command)
                return await asyncio.shield(outcome)
            except asyncio.CancelledError:
                await asyncio.wait([command], timeout=CANCEL_TIMEOUT)
                await self._take_back(outcome)
                raise
            finally:
                self._device.remove_listener(Device.EVENT_CONNECTION, on_connection)
                self._device.remove_listener(Device.EVENT_CONNECTION_FAILURE, on_failure)

    async def _take_back(self, outcome: asyncio.Future[Connection]) -> None:
        """Stop initiating. The connection may have been made in the very moment: then end it."""
        try:
            if not outcome.done():
                cancel = hci.HCI_LE_Create_Connection_Cancel_Command()
                await asyncio.wait_for(self._device.send_sync_command(cancel), CANCEL_TIMEOUT)
            connection = await asyncio.wait_for(outcome, CANCEL_TIMEOUT)
        except (LinkError, core.BaseBumbleError, asyncio.TimeoutError):
            return
        await disconnect(connection, ABANDON_TIMEOUT)


def _create_connection(address: hci.Address) -> hci.HCI_LE_Create_Connection_Command:
    return hci.HCI_LE_Create_Connection_Command(
        le_scan_interval=SCAN_INTERVAL,
        le_scan_window=SCAN_INTERVAL,
        initiator_filter_policy=0,
        peer_address_type=address.address_type,
        peer_address=address,
        own_address_type=hci.OwnAddressType.RANDOM,
        connection_interval_min=INTERVAL_MIN,
        connection_interval_max=INTERVAL_MAX,
        max_latency=0,
        supervision_timeout=SUPERVISION_TIMEOUT,
        min_ce_length=0,
        max_ce_length=0,
    )


async def set_up(
    connection: Connection,
    address: str,
    uuids: GattUUIDs,
    own_identity: bytes | None,
    mtu: int,
    on_frame: Callable[[BumbleLink, bytes], Any],
) -> BumbleLink:
    """Make a link of a connection: discover, read the identity, settle the MTU, subscribe.

    Raises:
        NotOurServiceError: the service or a characteristic is missing, or the identity is not told.
        OwnIdentityError: the peer has our identity.
        PeerRefusedError: the connection was lost meanwhile.
        LinkError: anything else went wrong.
    """
    peer = Peer(connection)
    with link_errors(f"setting up the link to {address}"):
        characteristics = await unless_lost(connection, _discover(peer, address, uuids))
        identity = await unless_lost(connection, _read_identity(peer, address, characteristics[uuids.identity]))
        if identity == own_identity:
            raise OwnIdentityError(f"{address} has our own identity")
        agreed = min(await unless_lost(connection, peer.request_mtu(mtu)), MAX_MTU)
        link = BumbleLink(
            address, Role.CENTRAL, agreed, identity, connection=connection, peer_rx=characteristics[uuids.rx]
        )
        await unless_lost(
            connection, peer.subscribe(characteristics[uuids.tx], lambda value: on_frame(link, bytes(value)))
        )
    return link


async def _discover(peer: Peer, address: str, uuids: GattUUIDs) -> dict[str, Any]:
    """Return our three characteristics of the peer by UUID."""
    services = await peer.discover_service(core.UUID(uuids.service))
    if not services:
        raise NotOurServiceError(f"{address} does not have the service {uuids.service}")
    found = {_uuid(c.uuid): c for c in await services[0].discover_characteristics()}
    for uuid in (uuids.rx, uuids.tx, uuids.identity):
        if uuid not in found:
            raise NotOurServiceError(f"{address} does not have the characteristic {uuid}")
    return found


async def _read_identity(peer: Peer, address: str, characteristic: Any) -> bytes:
    try:
        identity = await peer.read_value(characteristic)
    except att.ATT_Error as error:
        raise NotOurServiceError(f"{address} refuses to tell its identity: {error.error_name}") from error
    if len(identity) != IDENTITY_LENGTH:
        raise NotOurServiceError(f"{address} tells an identity of {len(identity)} bytes, not {IDENTITY_LENGTH}")
    return bytes(identity)


def _uuid(uuid: core.UUID) -> str:
    """Return a UUID of bumble as `ble_driver` spells it."""
    return uuid.to_hex_str("-").lower()
