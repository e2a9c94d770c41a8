"""One radio connection as the driver keeps it, and the errors that bumble speaks in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bumble import core
from bumble.device import Connection
from bumble.gatt_client import CharacteristicProxy

from ble_driver import Link, LinkError, PeerRefusedError, Role

#: Frames handed to bumble before waiting until the radio has taken them: bumble's own queue has no bound.
FRAMES_IN_FLIGHT = 8

T = TypeVar("T")


@dataclass(eq=False)
class BumbleLink(Link):
    """A link with its bumble connection.

    Attributes:
        connection: the connection.
        peer_rx: where to write frames to, if this node is central.
        subscribed: whether the central takes our notifications, if this node is peripheral.
        in_flight: frames handed to bumble since it was last seen to be empty.
    """

    connection: Connection = field(kw_only=True)
    peer_rx: CharacteristicProxy[bytes] | None = None
    subscribed: bool = False
    in_flight: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        assert (self.peer_rx is not None) == (self.role is Role.CENTRAL)


@contextmanager
def link_errors(what: str) -> Iterator[None]:
    """Turn what bumble raises about a connection into `LinkError`."""
    try:
        yield
    except LinkError:
        raise
    except (core.BaseBumbleError, asyncio.TimeoutError, ValueError) as error:
        # ValueError is how bumble says that it does not know the connection any more.
        raise LinkError(f"{what}: {error!r}") from error


async def unless_lost(connection: Connection, coroutine: Coroutine[Any, Any, T]) -> T:
    """Await something that needs the connection, but no longer than the connection lives.

    Raises:
        PeerRefusedError: the connection was lost meanwhile.
    """
    lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def on_disconnection(reason: int) -> None:
        if not lost.done():
            lost.set_result(reason)

    connection.on(connection.EVENT_DISCONNECTION, on_disconnection)
    task = asyncio.ensure_future(coroutine)
    try:
        await asyncio.wait((task, lost), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise PeerRefusedError(f"the link was lost while it was set up, reason 0x{lost.result():02x}")
        return task.result()
    finally:
        connection.remove_listener(connection.EVENT_DISCONNECTION, on_disconnection)
        lost.cancel()
        if not task.done():
            task.cancel()


async def disconnect(connection: Connection, timeout: float) -> None:
    """End a connection; harmless if it has ended."""
    if connection.device.connections.get(connection.handle) is connection:
        with link_errors("disconnecting"):
            await asyncio.wait_for(connection.disconnect(), timeout)
