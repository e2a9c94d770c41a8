"""One radio connection as the driver keeps it, and the errors that bumble speaks in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bumble import core, hci
from bumble.device import Connection
from bumble.gatt_client import CharacteristicProxy
from bumble.host import DataPacketQueue

from ble_driver import Link, LinkError, PeerRefusedError, Role

logger = logging.getLogger(__name__)

#: Packets that one link may have in the controller before its next frame waits; a frame is three packets at most.
PACKETS_PER_LINK = 12
#: The same for all links together, so that a frame more still fits into the controller's 64 buffers. Beyond those,
#: bumble queues without bound, in one queue in which a peer that does not listen holds up all others.
PACKETS_IN_ALL = 60
#: Seconds after which a peer that takes none of its packets is given up.
STALL_TIMEOUT = 5.0
#: The handle of an attribute that every GATT server has (Core Spec 5.4, Vol 3, Part F, 3.2.2).
FIRST_HANDLE = 0x0001
#: Seconds between two looks at the queue, because bumble does not tell when a lost link leaves it.
FLOW_POLL = 0.25

T = TypeVar("T")


@dataclass(eq=False)
class BumbleLink(Link):
    """A link with its bumble connection.

    Attributes:
        connection: the connection.
        peer_rx: where to write frames to, if this node is central.
        subscribed: whether the central takes our notifications, if this node is peripheral.
    """

    connection: Connection = field(kw_only=True)
    peer_rx: CharacteristicProxy[bytes] | None = None
    subscribed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        assert (self.peer_rx is not None) == (self.role is Role.CENTRAL)


@contextlib.contextmanager
def link_errors(what: str) -> Iterator[None]:
    """Turn what bumble raises about a connection into `LinkError`."""
    try:
        yield
    except LinkError:
        raise
    except (core.BaseBumbleError, asyncio.TimeoutError, ValueError) as error:
        # ValueError is how bumble says that it does not know the connection any more.
        raise LinkError(f"{what}: {error!r}") from error


def lives(connection: Connection) -> bool:
    """Whether the connection has not ended."""
    return connection.device.connections.get(connection.handle) is connection


async def unless_lost(connection: Connection, coroutine: Coroutine[Any, Any, T]) -> T:
    """Await something that needs the connection, but no longer than the connection lives.

    Raises:
        PeerRefusedError: the connection was lost meanwhile.
    """
    if not lives(connection):  # it ended before anybody could listen: no event will come any more
        coroutine.close()
        raise PeerRefusedError("the link was lost")
    lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def on_disconnection(reason: int) -> None:
        if not lost.done():
            lost.set_result(reason)

    connection.on(connection.EVENT_DISCONNECTION, on_disconnection)
    task = asyncio.ensure_future(coroutine)
    try:
        await asyncio.wait((task, lost), return_when=asyncio.FIRST_COMPLETED)
        if lost.done():  # the task may be done as well: bumble cancels a request whose connection ends
            raise PeerRefusedError(f"the link was lost, reason 0x{lost.result():02x}")
        return task.result()
    finally:
        connection.remove_listener(connection.EVENT_DISCONNECTION, on_disconnection)
        lost.cancel()
        if not task.done():
            task.cancel()


async def room_to_send(link: BumbleLink) -> None:
    """Wait until the controller has room for a frame to this peer.

    Raises:
        LinkError: the link is lost, or the peer has taken nothing for too long.
    """
    connection = link.connection
    loop = asyncio.get_running_loop()
    progress, last = loop.time(), -1
    while (queue := connection.data_packet_queue) is not None:
        # bumble tells the packets of one link only here; its `drain` returns early while others fill the controller.
        mine = queue._connection_state[connection.handle].in_flight
        if mine < PACKETS_PER_LINK and queue.pending < PACKETS_IN_ALL:
            return
        if mine == 0 or mine != last:
            progress, last = loop.time(), mine
        elif loop.time() - progress > STALL_TIMEOUT:
            raise LinkError(f"{link.address} has taken nothing for {STALL_TIMEOUT:g} s")
        await _flow(queue)
    raise LinkError("the connection is gone")


async def _flow(queue: DataPacketQueue) -> None:
    """Wait until packets were completed, or a moment."""
    flow: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_flow() -> None:
        if not flow.done():
            flow.set_result(None)

    queue.on("flow", on_flow)
    try:
        await asyncio.wait((flow,), timeout=FLOW_POLL)
    finally:
        queue.remove_listener("flow", on_flow)


async def part(connection: Connection, timeout: float) -> None:
    """End a connection when the peer has taken what we wrote; `timeout` seconds for its answer, and for the end.

    Else that is lost; and a bluetoothd of version 5.66 was seen to abort, while a link broke with writes on their way
    to it, because it could not tell any more whose they were.
    """
    if connection.role == hci.Role.CENTRAL:
        with contextlib.suppress(LinkError), link_errors("parting"):
            answer = unless_lost(connection, connection.gatt_client.read_value(FIRST_HANDLE, no_long_read=True))
            await asyncio.wait_for(answer, timeout)
    await disconnect(connection, timeout)


async def disconnect(connection: Connection, timeout: float) -> None:
    """End a connection within `timeout` seconds; harmless if it has ended."""
    if lives(connection):
        try:
            await asyncio.wait_for(connection.disconnect(), timeout)
        except (core.BaseBumbleError, asyncio.TimeoutError) as error:
            # The peer was faster, or the controller does not answer: its own end is then reported by itself.
            logger.debug("disconnecting from %s: %r", connection.peer_address, error)
