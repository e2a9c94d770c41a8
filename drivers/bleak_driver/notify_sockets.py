"""Sockets through which bluetoothd takes notifications: four times as fast as changes of a D-Bus value.

bluetoothd asks for one when a central subscribes. Whom a frame in it reaches depends on its version, which it does not
tell: up to 5.75 or so there is one socket, asked for by the first to subscribe, and it reaches all who have; later each
central has its own (PROTOCOL.md, BlueZ facts). Two that are open at once prove the latter. So a socket serves two
cases: its central is the only one, or each central has one and that is proven. In all others the value is changed.

A socket may close though its central stays: in versions up to at least 5.83 the end of one link closes the socket of
whoever subscribed first (bluez#1452), and bluetoothd does not ask for another. From then on its central is one without.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import socket
import struct
import termios
from collections.abc import Callable, Iterable
from typing import Any

from ble_driver import within

from .centrals import notify_mtu

logger = logging.getLogger(__name__)

#: Seconds that bluetoothd gets to take what is in a socket, and between two looks whether it has.
DRAIN_TIMEOUT, DRAIN_INTERVAL = 2.0, 0.01
#: Seconds that bluetoothd gets to make room for a frame in a socket.
SEND_TIMEOUT = 20.0


class SocketLostError(Exception):
    """The socket was closed before all frames were taken."""


def make_pair() -> tuple[socket.socket, socket.socket]:
    """Return our end of a socket that keeps frames apart, and bluetoothd's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


class NotifySockets:
    """The sockets of the centrals that have one; all on the dispatcher.

    Args:
        on_lost: called with the address of a central whose socket bluetoothd has closed.

    Attributes:
        proven: each central has a socket of its own, which reaches nobody else.
    """

    def __init__(self, on_lost: Callable[[str], Any]) -> None:
        self.proven = False
        self._on_lost = on_lost
        self._sockets: dict[str, socket.socket] = {}
        self._mtu: dict[str, int] = {}
        self._sending: dict[socket.socket, asyncio.Future[None]] = {}  # a frame that waits for room

    def add(self, address: str, ours: socket.socket, mtu: int) -> None:
        """bluetoothd has asked for a socket for this central, whose ATT MTU is `mtu` bytes."""
        self.forget(address)
        self.proven = self.proven or any(map(_is_open, self._sockets.values()))
        self._sockets[address] = ours
        self._mtu[address] = notify_mtu(mtu)
        asyncio.get_running_loop().add_reader(ours, self._on_readable, address, ours)

    def __contains__(self, address: str) -> bool:
        return address in self._sockets

    def are_private(self, centrals: Iterable[str]) -> bool:
        """Whether each of these centrals can be told something that no other hears."""
        return self.proven and all(central in self._sockets for central in centrals)

    def mtu(self, address: str) -> int:
        """Return the ATT MTU that bounds what is sent to a central, in bytes."""
        return self._mtu[address]

    async def send(self, address: str, frames: Iterable[bytes]) -> None:
        """Put frames into a central's socket; wait while it is full. Raises SocketLostError."""
        ours, loop = self._sockets[address], asyncio.get_running_loop()
        try:
            for frame in frames:
                sending = self._sending[ours] = asyncio.ensure_future(loop.sock_sendall(ours, frame))
                await within(SEND_TIMEOUT, sending)
        except OSError as error:  # which a TimeoutError is, too
            self._lose(address, ours)
            raise SocketLostError(str(error)) from error
        finally:
            self._sending.pop(ours, None)

    async def drain(self) -> None:
        """Wait until bluetoothd has taken all that was sent, so that what goes another way comes after it."""
        time = asyncio.get_running_loop().time
        deadline = time() + DRAIN_TIMEOUT
        while any(map(_waiting, self._sockets.values())) and time() < deadline:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(DRAIN_INTERVAL)

    def forget(self, address: str) -> None:
        """The central is gone; harmless if it had no socket."""
        ours = self._sockets.pop(address, None)
        self._mtu.pop(address, None)
        if ours is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(ours)
            loop.remove_writer(ours)  # or who waits for room would wait on a number that means another file soon
            if (sending := self._sending.get(ours)) is not None:
                sending.cancel()
            ours.close()

    def close(self) -> None:
        """All are gone."""
        for address in list(self._sockets):
            self.forget(address)
        self.proven = False

    def _on_readable(self, address: str, ours: socket.socket) -> None:
        if not _is_open(ours):
            self._lose(address, ours)

    def _lose(self, address: str, ours: socket.socket) -> None:
        if self._sockets.get(address) is ours:
            self.forget(address)
            self._on_lost(address)


def _is_open(ours: socket.socket) -> bool:
    """Whether bluetoothd has its end of the socket; it never sends anything, and whatever it did is discarded."""
    try:
        return ours.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _waiting(ours: socket.socket) -> int:
    """Return how many bytes bluetoothd has not taken yet."""
    (count,) = struct.unpack("i", fcntl.ioctl(ours, termios.TIOCOUTQ, bytes(4)))
    return int(count)
