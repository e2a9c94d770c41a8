"""The peripheral's way out: packets to centrals, to one alone where that can be, else so that all hear them whole."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from ble_driver import LinkError, Packet, RadioError, frame_size

from .centrals import Centrals
from .notify_sockets import NotifySockets, SocketLostError
from .overheard import Overheard

logger = logging.getLogger(__name__)


class Notifier:
    """Notifies packets, one at a time: whoever hears the frames of several hears them one after the other.

    Args:
        say: changes the value that every central hears, frame by frame, and waits for bluetoothd; raises RadioError.
        centrals: who has connected.
        time: the time in seconds.
        on_bounds: called when the MTU that bounds packets may have changed.
    """

    def __init__(
        self,
        say: Callable[[Packet], Awaitable[None]],
        centrals: Centrals,
        time: Callable[[], float],
        on_bounds: Callable[[], Any],
    ) -> None:
        self._say = say
        self._centrals = centrals
        self._time = time
        self._on_bounds = on_bounds
        self._sockets = NotifySockets(self._on_socket_lost)
        self._overheard = Overheard()
        self._turn = asyncio.Lock()
        self._said = False  # and nothing went another way since

    def subscribed(self, address: str, mtu: int, ours: socket.socket) -> None:
        """A central has subscribed, and bluetoothd has asked for a socket to notify it by."""
        self._sockets.add(address, ours, mtu)
        self._on_bounds()

    def gone(self, address: str) -> None:
        """A central is disconnected."""
        self._overheard.gone(address)
        self._sockets.forget(address)

    def close(self) -> None:
        """Nothing is notified any more."""
        self._sockets.close()

    def mtu_for(self, address: str) -> int:
        """Return the ATT MTU that bounds a packet to a central, in bytes: its own, or that of all who hear it."""
        return self._sockets.mtu(address) if self._is_private(address) else self._centrals.smallest_mtu

    async def notify(self, address: str, packet: Packet, others: Iterable[str]) -> None:
        """Notify the frames of a packet to a central, and wait until they are on their way.

        Args:
            address: of the central.
            packet: the frames.
            others: the addresses of the other centrals.

        Raises:
            LinkError: bluetoothd takes nothing.
        """
        async with self._turn:
            if self._overheard.has(address, packet, self._time()):
                return
            by_socket = self._is_private(address) or (address in self._sockets and self._centrals.is_only(address))
            if by_socket and self._fits(address, packet) and await self._by_socket(address, packet):
                self._overheard.notified(address, packet, (), self._time())
            elif self._fits(address, packet):
                await self._by_value(packet)
                self._overheard.notified(address, packet, others, self._time())
            else:
                logger.debug("a packet to %s was cut for a larger MTU than who hears it has: dropped", address)

    def _is_private(self, address: str) -> bool:
        return self._sockets.are_private([address, *self._centrals.addresses])

    def _fits(self, address: str, packet: Packet) -> bool:
        return max(map(len, packet)) <= frame_size(self.mtu_for(address))

    async def _by_socket(self, address: str, packet: Packet) -> bool:
        """Tell one central; return False if its socket is closed. The packet may then be sent again from its start."""
        if self._said:
            # The wait after a change is on another connection: once more, so that bluetoothd has taken it for sure.
            await self._change(())
            self._said = False
            if address not in self._sockets:  # lost meanwhile
                return False
        try:
            await self._sockets.send(address, packet)
        except SocketLostError:
            return False
        return True

    async def _by_value(self, packet: Packet) -> None:
        await self._sockets.drain()
        await self._change(packet)
        self._said = True

    async def _change(self, packet: Packet) -> None:
        try:
            await self._say(packet)
        except RadioError as error:
            raise LinkError(str(error)) from error

    def _on_socket_lost(self, address: str) -> None:
        # Also when a central leaves, just before that is known: nothing is wrong then.
        logger.debug("bluetoothd has closed the socket to %s", address)
        self._on_bounds()
