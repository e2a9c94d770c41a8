"""Processes that never outlive the demo.

Each child has its standard input from us. When we end in order, we close it, then insist by signals. When we are
killed, the kernel closes it, and a child that watches its input ends by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

LineHandler = Callable[[str], None]

STOP_STEP = 2.5
TAIL_LINES = 20
LINE_LIMIT = 1 << 20

logger = logging.getLogger(__name__)


class Child:
    """One process: its output line by line, the end of its log, and its orderly end."""

    def __init__(
        self,
        name: str,
        process: asyncio.subprocess.Process,
        on_line: LineHandler,
        on_log: LineHandler,
        on_end: Callable[[int], None],
    ) -> None:
        self.name = name
        self.log_tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._process = process
        self._on_log = on_log
        self._on_end = on_end
        self._stopping = False
        self._done = asyncio.ensure_future(self._follow(on_line))

    def write_line(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def stop(self, *, at_once: bool = False) -> None:
        """End its input, send SIGTERM, send SIGKILL, each with time to take effect; `at_once` skips the first wait."""
        self._stopping = True
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not at_once and await self._ended():
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        if await self._ended():
            return
        logger.warning("%s did not end by itself and was killed", self.name)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._ended()

    async def _ended(self) -> bool:
        done, _ = await asyncio.wait([self._done], timeout=STOP_STEP)
        return bool(done)

    def _log(self, line: str) -> None:
        self.log_tail.append(line)
        self._on_log(line)

    async def _follow(self, on_line: LineHandler) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        await asyncio.gather(_lines(self._process.stdout, on_line), _lines(self._process.stderr, self._log))
        returncode = await self._process.wait()
        if not self._stopping:
            self._on_end(returncode)


async def _lines(stream: asyncio.StreamReader, handle: LineHandler) -> None:
    while line := await stream.readline():
        handle(line.decode(errors="replace").rstrip())


class Children:
    """All processes of one demo. Leaving the context ends them."""

    def __init__(self, directory: Path, on_log: Callable[[str, str], None]) -> None:
        self._directory = directory
        self._on_log = on_log
        self._children: list[tuple[Child, bool]] = []
        self._logs = contextlib.ExitStack()

    async def __aenter__(self) -> Children:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Nodes first and together: each tells the other that its links are over. Then what carried them.
        await asyncio.gather(*(child.stop() for child, watches_input in self._children if watches_input))
        await asyncio.gather(
            *(child.stop(at_once=True) for child, watches_input in self._children if not watches_input)
        )
        self._logs.close()

    async def start(
        self,
        name: str,
        command: Sequence[str],
        on_line: LineHandler,
        on_end: Callable[[int], None],
        *,
        watches_input: bool = True,
    ) -> Child:
        """Start a process; `watches_input` says that it ends by itself, in order, when its standard input does."""
        log_file = self._logs.enter_context((self._directory / f"{name}.log").open("w", encoding="utf-8"))

        def on_log(line: str) -> None:
            print(line, file=log_file, flush=True)
            self._on_log(name, line)

        process = await asyncio.create_subprocess_exec(
            *command,
            # Not the user's directory: `python -m` would import whatever package of that name lies there.
            cwd=self._directory,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            # Ctrl-C is for us alone: we end the children in order.
            start_new_session=True,
        )
        child = Child(name, process, on_line, on_log, on_end)
        self._children.append((child, watches_input))
        return child

    def log_tails(self) -> list[tuple[str, list[str]]]:
        return [(child.name, list(child.log_tail)) for child, _ in self._children]
