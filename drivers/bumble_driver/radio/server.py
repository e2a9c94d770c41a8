"""The TCP port at which hosts attach; one connection is one controller."""

from __future__ import annotations

import asyncio
import logging
import socket

from .air import Air
from .controller import RadioController
from .forwarding import ACL_LENGTH
from .h4 import Deframer

log = logging.getLogger(__name__)

_HIGH_WATER = 64 * 1024
"""Bytes that wait for a host before it counts as congested."""

_SOCKET_BUFFER = 64 * 1024
"""What the kernel may hold on top of that. Its default grows to megabytes, and a stall would be noticed late."""

_LIMIT = 4 * 1024 * 1024
"""Bytes that wait for a host before it is given up. Peers that keep to their 64 buffers never fill that much; events
that a hostile peer provokes can."""


class _HostPort(asyncio.Protocol):
    """The wire between one host and its controller.

    Memory per host is bounded: one unfinished packet towards the controller, ``_LIMIT`` bytes towards the host. While a
    host does not read, nothing is read from it either, so its own commands cannot fill its buffer with answers.
    """

    def __init__(self, server: RadioServer) -> None:
        self._server = server
        self._deframer = Deframer(ACL_LENGTH)
        self._paused = False
        # While paused: what a transport has to keep, it counts anew at every write (asyncio from Python 3.12 on).
        self._backlog = bytearray()
        self.closed = asyncio.get_running_loop().create_future()

    @property
    def waiting(self) -> int:
        """Bytes that the host has not taken yet, but for what the kernel holds."""
        return self._transport.get_write_buffer_size() + len(self._backlog)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        self._controller = self._server._attach(self)
        if not self._server.is_open:  # accepted just before close
            transport.abort()
        log.info("%s: host attached", self._controller.name)

    def connection_lost(self, exc: Exception | None) -> None:
        self._controller.detach()
        self._server._detach(self)
        self.closed.set_result(None)
        log.info("%s: host gone%s", self._controller.name, f" ({exc})" if exc else "")

    def data_received(self, data: bytes) -> None:
        try:
            for packet in self._deframer.feed(data):
                self._controller.on_packet(packet)
        except Exception as error:
            # The one place where a stranger's bytes are judged: whatever they provoke is that stranger's end, only.
            log.warning("%s: host dropped: %s: %s", self._controller.name, type(error).__name__, error)
            self.abort()

    def on_packet(self, packet: bytes) -> None:
        """The controller speaks."""
        if self._transport.is_closing():
            return
        if not self._paused:
            self._transport.write(packet)
            return
        self._backlog += packet
        if self.waiting > _LIMIT:
            log.warning("%s: host dropped: it does not read", self._controller.name)
            self.abort()

    def pause_writing(self) -> None:
        self._paused = True
        self._controller.set_congested(True)
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        backlog, self._backlog = self._backlog, bytearray()
        if backlog:
            self._transport.write(backlog)
        if not self._paused:  # that may have been too much again
            self._transport.resume_reading()
            self._controller.set_congested(False)

    def abort(self) -> None:
        self._transport.abort()


class RadioServer:
    """Serves one air on one TCP port.

    Everything happens on the event loop that runs ``start``. The options are those of ``RadioController`` and ``Air``.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 7700, *, air: Air | None = None, cancel_event: bool = True
    ) -> None:
        self.air = air if air is not None else Air()
        self._address = (host, port)
        self._cancel_event = cancel_event
        self._server: asyncio.Server | None = None
        self._hosts: dict[_HostPort, RadioController] = {}

    async def start(self) -> None:
        """Listen. Raises OSError if that is not possible."""
        host, port = self._address
        self._server = await asyncio.get_running_loop().create_server(lambda: _HostPort(self), host, port)

    @property
    def is_open(self) -> bool:
        """Whether hosts may attach."""
        return self._server is not None

    @property
    def port(self) -> int:
        """The port in use, which is worth asking after ``port=0``."""
        assert self._server is not None, "not started"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def controllers(self) -> tuple[RadioController, ...]:
        """The controllers that have a host, in the order in which the hosts came."""
        return tuple(self._hosts.values())

    async def close(self) -> None:
        """Stop listening and drop every host. Safe to call twice."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        hosts = tuple(self._hosts)
        for host in hosts:
            host.abort()
        await asyncio.gather(*(host.closed for host in hosts))
        await server.wait_closed()

    def make_controller(self) -> RadioController:
        """Return the controller of a host that comes; to be overridden by who wants another kind."""
        return RadioController(self.air, cancel_event=self._cancel_event)

    def _attach(self, host: _HostPort) -> RadioController:
        controller = self.make_controller()
        controller.host = host
        self._hosts[host] = controller
        return controller

    def _detach(self, host: _HostPort) -> None:
        del self._hosts[host]
