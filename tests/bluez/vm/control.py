"""The host's end of the control channel: programs in a guest as objects (the protocol is in guest_side/steward.py)."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from .program import GuestError, Program

logger = logging.getLogger(__name__)

#: Bytes of the longest message.
LIMIT = 8 * 1024 * 1024


class Control:
    """The channel to one guest's steward."""

    def __init__(self) -> None:
        self.hello: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._numbers = itertools.count(1)
        self._programs: dict[int, Program] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def open(self, end: socket.socket) -> None:
        """Begin to listen."""
        reader, self._writer = await asyncio.open_connection(sock=end, limit=LIMIT)
        self._reading = asyncio.ensure_future(self._read(reader))

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, respawn: float | None = None
    ) -> Program:
        """Start a program in the guest; with `respawn`, again and again, that many seconds after each end."""
        program = Program(next(self._numbers), " ".join(argv[-4:]), self._say)
        self._programs[program.number] = program
        self._say({"do": "start", "id": program.number, "argv": list(argv), "env": dict(env or {}), "respawn": respawn})
        return program

    async def close(self) -> None:
        """Stop listening."""
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))
        self._end()

    def _say(self, message: Mapping[str, Any]) -> None:
        if self._writer is None or self._writer.is_closing():
            raise GuestError("the guest is gone")
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "hello" in message:
                    self.hello.set_result(message["hello"])
                elif self._programs[message["id"]].take(message):
                    del self._programs[message["id"]]
        except ConnectionError as error:
            logger.debug("control channel: %s", error)
        finally:
            self._end()

    def _end(self) -> None:
        """The guest is gone: so are its programs."""
        if not self.hello.done():
            self.hello.cancel()
        for program in self._programs.values():
            program.end(-9)
        self._programs.clear()
