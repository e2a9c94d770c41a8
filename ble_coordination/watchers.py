"""The WebSockets: each is told every change, in order, or is cut off if it does not read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from .body import check_json
from .errors import InvalidJSONError, TooManySocketsError
from .guard import SUBPROTOCOL
from .limits import MAX_SOCKET_BACKLOG, MAX_SOCKET_MESSAGE, MAX_SOCKETS
from .problems import websocket_problem
from .tasks import end_tasks

logger = logging.getLogger(__name__)

#: Codes that a WebSocket is closed with (RFC 6455, 7.4.1, and its IANA registry).
UNSUPPORTED, INVALID, TOO_BIG, TRY_LATER = 1003, 1007, 1009, 1013
#: Seconds that a close may take: the peer may not read that either.
CLOSE_TIMEOUT = 1.0
#: Messages that may be asked for before the answers are read.
PONG = json.dumps({"type": "pong"})


class Watcher:
    """What waits to be sent on one WebSocket."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self._backlog: deque[str] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self.too_slow = asyncio.Event()

    def tell(self, text: str) -> None:
        """Queue one message; a reader that is too far behind is given up instead."""
        if self._backlog and self._bytes + len(text) > MAX_SOCKET_BACKLOG:
            self.too_slow.set()
        else:
            self._backlog.append(text)
            self._bytes += len(text)
            self._filled.set()

    async def send_all(self) -> None:
        """Send what is queued, for ever."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._backlog:
                text = self._backlog.popleft()
                await self.socket.send_text(text)
                self._bytes -= len(text)


class Watchers:
    """All WebSockets of this instance.

    Args:
        status: returns the message of the given type with the state of everything.
    """

    def __init__(self, status: Callable[[str], str]) -> None:
        self._status = status
        self._watchers: set[Watcher] = set()

    def __len__(self) -> int:
        return len(self._watchers)

    def tell(self, text: str) -> None:
        """Tell everybody."""
        for watcher in self._watchers:
            watcher.tell(text)

    def tell_everything(self) -> None:
        """Tell everybody the state of everything, because changes were missed."""
        if self._watchers:
            self.tell(self._status("initial_status"))

    async def serve(self, socket: WebSocket) -> None:
        """Serve one WebSocket until it ends."""
        if len(self._watchers) >= MAX_SOCKETS:
            error = TooManySocketsError(f"{MAX_SOCKETS} WebSockets are open already: close some")
            await websocket_problem(error, socket.scope, socket.receive, socket.send)
            return
        watcher = Watcher(socket)
        self._watchers.add(watcher)  # before anything is awaited, so that the bound holds
        try:
            await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope.get("subprotocols", ()) else None)
            watcher.tell(self._status("initial_status"))
            await self._serve(watcher)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:  # the ways in which servers say that it is gone
            logger.debug("a WebSocket is gone: %r", error)
        finally:
            self._watchers.discard(watcher)

    async def _serve(self, watcher: Watcher) -> None:
        tasks = [
            asyncio.create_task(watcher.send_all()),
            asyncio.create_task(self._listen(watcher)),
            asyncio.create_task(watcher.too_slow.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks(*tasks)
        if tasks[2] in done:
            peer = watcher.socket.client
            logger.warning("a WebSocket does not read what it is told and is cut off: %s", peer and peer.host)
            await _close(watcher.socket, TRY_LATER, "you read too slowly: connect again")
        for task in done:
            task.result()

    async def _listen(self, watcher: Watcher) -> None:
        """Answer what the peer asks."""
        while True:
            message = await watcher.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                await _close(watcher.socket, UNSUPPORTED, "messages are text")
                return
            if len(text) > MAX_SOCKET_MESSAGE:
                await _close(watcher.socket, TOO_BIG, f"a message has at most {MAX_SOCKET_MESSAGE} bytes")
                return
            try:
                check_json(text.encode())
            except (InvalidJSONError, UnicodeEncodeError) as error:
                await _close(watcher.socket, INVALID, str(error)[:100])
                return
            self._answer(watcher, json.loads(text))

    def _answer(self, watcher: Watcher, message: Any) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "ping":
            watcher.tell(PONG)
        elif kind == "get_status":
            watcher.tell(self._status("status"))
        else:
            text = 'a message is {"type": "ping"} or {"type": "get_status"}'
            watcher.tell(json.dumps({"type": "error", "error": "invalid_request", "message": text}))


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(socket.close(code, reason), CLOSE_TIMEOUT)
