"""A WebSocket to the service, without its client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from websockets.sync.client import ClientConnection, connect

from .processes import PATIENCE, Service, ask

Message = dict[str, Any]


class Socket:
    """What the service tells, in order."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def next(self) -> Message:
        message: Message = json.loads(self.connection.recv(timeout=PATIENCE))
        return message

    def update(self, action: str, **fields: object) -> Message:
        """Return the next update of a lock, which must be this; other messages are skipped, as are other devices."""
        device = fields.get("device_name")
        while (message := self.next())["type"] != "lock_update" or device not in (None, message["device_name"]):
            pass
        wanted = {"action": action, **fields}
        assert wanted.items() <= message.items(), message
        return message

    def until(self, kind: str) -> Message:
        """Return the next message of this type; others are skipped."""
        while (message := self.next())["type"] != kind:
            pass
        return message

    def until_closed(self) -> None:
        """Read until it is closed, which raises."""
        while True:
            self.next()

    def send(self, message: object) -> None:
        self.connection.send(json.dumps(message))


@contextlib.contextmanager
def watching(service: Service, **options: Any) -> Iterator[Socket]:
    """A socket that has had its first message."""
    url = f"{service.url.replace('http', 'ws', 1)}/ws"
    # What was done before may be on its way to this instance's WebSockets yet.
    version = ask(f"{service.url}/api/locks/status")[1].get("version", 0)
    with connect(url, compression=None, max_size=None, **options) as connection:
        socket = Socket(connection)
        message = socket.next()
        assert message["type"] == "initial_status"
        while message["version"] < version:
            message = socket.next()
        yield socket
