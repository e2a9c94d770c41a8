"""What something said, line by line, kept in memory until it is known whether anybody will want to read it."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

#: Lines that are kept; the first ones go first.
MAX_LINES = 50_000


class Log:
    """The last lines of one source."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: deque[str] = deque(maxlen=MAX_LINES)

    def add(self, line: str) -> None:
        """Append a line."""
        self.lines.append(line)

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Append what comes from a stream until it ends."""
        partial = b""
        while data := await stream.read(65536):  # not readline: a console may print anything
            *lines, partial = (partial + data).split(b"\n")
            for line in lines:
                self.add(line.decode(errors="replace").rstrip("\r"))

    def save(self, directory: Path) -> None:
        """Write the lines to a file that has this log's name."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.name}.log").write_text("".join(f"{line}\n" for line in self.lines))
