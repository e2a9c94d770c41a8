"""The steward of a guest: runs what the host tells it to and reports line by line.

One JSON object per line, both ways, on the virtio-serial port named "control". From the host::

    {"do": "start", "id": 1, "argv": [...], "env": {...}, "respawn": 1.0}   respawn: seconds, or null for once
    {"do": "input", "id": 1, "line": "..."}
    {"do": "signal", "id": 1, "signal": 15}      to the process group
    {"do": "stop", "id": 1}                      SIGTERM, later SIGKILL, and no more respawning

To the host: ``{"hello": {...}}`` once, then per program ``{"id": 1, "line": "...", "error": false}``,
``{"id": 1, "exit": -15, "again": true}``. The last message of a program is the exit with ``again`` false.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import signal
import sys
from typing import Any

from .port import open_port

#: Seconds that a program gets to heed SIGTERM.
GRACE = 3.0
#: The longest line of a program; a longer one is an error of that program.
LINE_LIMIT = 4 * 1024 * 1024


class Program:
    """One program, respawned if so wished."""

    def __init__(self, steward: Steward, order: dict[str, Any]) -> None:
        self._steward = steward
        self._id: int = order["id"]
        self._argv: list[str] = order["argv"]
        self._env = {**os.environ, **order.get("env", {})}
        self._respawn: float | None = order.get("respawn")
        self._process: asyncio.subprocess.Process | None = None
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Run until it ends for good."""
        while True:
            code = await self._run_once()
            again = self._respawn is not None and not self._stopped.is_set()
            self._steward.say({"id": self._id, "exit": code, "again": again})
            if not again:
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), self._respawn)

    async def _run_once(self) -> int:
        if self._stopped.is_set():
            return -signal.SIGTERM
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=self._env,
                limit=LINE_LIMIT,
                start_new_session=True,
            )
        except OSError as error:
            self._steward.say({"id": self._id, "line": str(error), "error": True})
            return 127
        self._process = process
        assert process.stdout is not None
        assert process.stderr is not None
        outputs = asyncio.gather(self._forward(process.stdout, False), self._forward(process.stderr, True))
        code = await process.wait()
        # A grandchild may hold the pipes open for ever.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(outputs, 1.0)
        self._process = None
        return code

    async def _forward(self, stream: asyncio.StreamReader, error: bool) -> None:
        while line := await stream.readline():
            self._steward.say({"id": self._id, "line": line.decode(errors="replace").rstrip("\n"), "error": error})

    def input(self, line: str) -> None:
        """Write a line to its standard input."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(f"{line}\n".encode())

    def signal(self, number: int) -> None:
        """Send a signal to it and its children."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def stop(self) -> None:
        """End it, and for good."""
        self._stopped.set()
        self.signal(signal.SIGTERM)
        await asyncio.sleep(GRACE)
        self.signal(signal.SIGKILL)


class Steward:
    """Takes orders until the host closes its end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._programs: dict[int, Program] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: asyncio.StreamWriter | None = None

    async def serve(self) -> None:
        """Take orders."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=LINE_LIMIT)
        # A port can be opened once only, so both directions share one open file.
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(self._port), "rb", buffering=0)
        )
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(self._port, "wb", buffering=0)
        )
        self._writer = asyncio.StreamWriter(transport, protocol, None, loop)
        self.say({"hello": {"kernel": platform.release(), "python": platform.python_version()}})
        while line := await reader.readline():
            self._obey(json.loads(line))

    def say(self, message: dict[str, Any]) -> None:
        """Send a message to the host."""
        assert self._writer is not None
        self._writer.write(json.dumps(message).encode() + b"\n")

    def _obey(self, order: dict[str, Any]) -> None:
        number: int = order["id"]
        if order["do"] == "start":
            self._programs[number] = Program(self, order)
            self._spawn(self._run(number))
            return
        program = self._programs.get(number)
        if program is None:
            return  # it has ended, and the host will hear of it
        if order["do"] == "input":
            program.input(order["line"])
        elif order["do"] == "signal":
            program.signal(order["signal"])
        elif order["do"] == "stop":
            self._spawn(program.stop())

    async def _run(self, number: int) -> None:
        await self._programs[number].run()
        del self._programs[number]

    def _spawn(self, coroutine: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


if __name__ == "__main__":
    asyncio.run(Steward(open_port("control")).serve())
    sys.stderr.write("the host has closed the control channel\n")
