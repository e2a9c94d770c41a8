"""uvicorn, with the bounds that it lacks: how many connections, and how long one may say nothing."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import (
    FIRST_REQUEST_TIMEOUT,
    MAX_BODY,
    MAX_CONNECTIONS,
    MAX_SOCKET_MESSAGE,
    UNACKNOWLEDGED_TIMEOUT,
)

#: Seconds that requests get to end when the service does. Those that wait are told by the end of their connection.
SHUTDOWN_TIMEOUT = 1
#: Seconds for which an idle connection is kept for the next request, and between pings on a WebSocket and for the pong.
KEEP_ALIVE, PING_INTERVAL = 15, 20.0
#: Connections that the kernel keeps until they are accepted.
BACKLOG = 512


class BoundedProtocol(H11Protocol):
    """A connection that is refused when there are too many, and ended if it does not ask anything soon."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= MAX_CONNECTIONS:
            self.transport = transport
            transport.abort()
            return
        super().connection_made(transport)
        self._silence = self.loop.call_later(FIRST_REQUEST_TIMEOUT, self._end_if_silent)

    def _end_if_silent(self) -> None:
        # One that has become a WebSocket is no longer among these.
        if self.cycle is None and self in self.connections:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self in self.connections:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.connections:
            self._silence.cancel()
            super().connection_lost(exc)


class BoundedServer(uvicorn.Server):
    """A server for `app`, to be run on a socket of `listen`.

    Args:
        app: what to serve.
        verbose: whether to log each request.

    Attributes:
        ready_line: printed once it serves.
    """

    def __init__(self, app: ASGIApp, *, verbose: bool = False) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                ws="websockets-sansio",
                ws_max_size=MAX_SOCKET_MESSAGE,
                ws_per_message_deflate=False,
                ws_ping_interval=PING_INTERVAL,
                ws_ping_timeout=PING_INTERVAL,
                h11_max_incomplete_event_size=MAX_BODY,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
                log_config=None,
                access_log=verbose,
                server_header=False,
            )
        )
        self.ready_line: str | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.ready_line is not None:
            print(self.ready_line, flush=True)  # noqa: T201 - what a parent waits for


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; connections of it end when a peer does not take what it is sent.

    Raises:
        OSError: the address cannot be used.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it (Linux, tcp(7)).
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNACKNOWLEDGED_TIMEOUT * 1000))
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
