"""Follows the service's WebSocket, and connects again for as long as it takes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from ble_driver import ReconnectPolicy

from .device_lock import Action
from .limits import MAX_SOCKET_BACKLOG
from .updates import LockUpdate, Status, read_status, read_update

logger = logging.getLogger(__name__)

#: Seconds for a connection to be made, between pings and for the pong.
OPEN_TIMEOUT, PING_INTERVAL = 10.0, 15.0


class Monitor:
    """Tells what happens to the locks, each change once, also those that happened while there was no connection.

    Args:
        url: of the WebSocket.
        headers: to send with it.
        on_update: called with each update, in order.
        on_status: called whenever the connection was made, with the state of everything, after the updates that were
            missed.
    """

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        on_update: Callable[[LockUpdate], object],
        on_status: Callable[[Status], object],
    ) -> None:
        self._url = url
        self._headers = headers
        self._on_update = on_update
        self._on_status = on_status
        self._policy = ReconnectPolicy(initial_delay=0.2, max_delay=10.0)
        self._version: int | None = None
        self._actions: set[Action] = set()  # of that version, which may have several
        self._failures = 0
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
            except (OSError, WebSocketException, asyncio.TimeoutError) as error:
                if not self._failures:
                    logger.warning("%s does not answer, trying until it does: %s", self._url, error)
            self.connected.clear()
            await asyncio.sleep(self._policy.get_delay(self._failures))
            self._failures += 1

    async def _follow(self) -> None:
        async with connect(
            self._url,
            additional_headers=self._headers,
            open_timeout=OPEN_TIMEOUT,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_INTERVAL,
            max_size=4 * MAX_SOCKET_BACKLOG,
            compression=None,
            proxy=None,  # the service is on this host or a near one
        ) as socket:
            async for text in socket:
                try:
                    self._take(json.loads(text))
                except (ValueError, KeyError, TypeError) as error:
                    logger.error("%s sends what makes no sense: %r", self._url, error)
                    return

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "initial_status":
            self._take_status(read_status(message))
        elif kind == "lock_update":
            self._tell(read_update(message))
        elif kind == "device_update":
            self._version = message["version"]

    def _take_status(self, status: Status) -> None:
        if self._version is not None:
            for update in status.recent:
                if update.version > self._version or (
                    update.version == self._version and update.action not in self._actions
                ):
                    self._tell(update)
        self._version = status.version
        self._on_status(status)
        self._failures = 0
        self.connected.set()

    def _tell(self, update: LockUpdate) -> None:
        if update.version != self._version:
            self._actions.clear()
        self._version = update.version
        self._actions.add(update.action)
        self._on_update(update)
