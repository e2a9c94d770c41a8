"""A program on the host that scenarios handle like one in a guest."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import children
from .program import Program


async def start(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> Program:
    """Start a program; it is killed when the runner dies, and by `Program.stop`."""
    pipe = asyncio.subprocess.PIPE
    process = await children.start(argv, stdin=pipe, stderr=pipe, cwd=cwd, env={**os.environ, **(env or {})})

    def obey(order: Mapping[str, Any]) -> None:
        with contextlib.suppress(ProcessLookupError):
            if order["do"] == "input" and process.stdin is not None:
                process.stdin.write(f"{order['line']}\n".encode())
            elif order["do"] == "signal":
                os.killpg(process.pid, order["signal"])
            elif order["do"] == "stop":
                os.killpg(process.pid, signal.SIGKILL)

    program = Program(0, " ".join(argv[-4:]), obey)
    program.carrier = asyncio.ensure_future(_carry(process, program))
    return program


async def _carry(process: asyncio.subprocess.Process, program: Program) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    await asyncio.gather(_forward(process.stdout, program, False), _forward(process.stderr, program, True))
    program.take({"exit": await process.wait(), "again": False})


async def _forward(stream: asyncio.StreamReader, program: Program, error: bool) -> None:
    async for line in stream:
        program.take({"line": line.decode(errors="replace").rstrip("\n"), "error": error})
