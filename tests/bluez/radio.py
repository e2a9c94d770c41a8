"""The air: the project's own radio daemon, with walls."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

from .vm import children
from .vm.log import Log

START_TIMEOUT = 20.0


class Radio:
    """A running radio daemon.

    Attributes:
        address: host and port at which hosts attach.
        log: what it said.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        address: tuple[str, int],
        log: Log,
        captures: tempfile.TemporaryDirectory[str],
    ) -> None:
        self._process = process
        self._captures = captures
        self.address = address
        self.log = log
        assert process.stdout is not None
        self._follower = asyncio.ensure_future(log.follow(process.stdout))

    @classmethod
    async def start(cls) -> Radio:
        """Start a daemon on a free port.

        Raises:
            RuntimeError: it does not come up.
        """
        captures = tempfile.TemporaryDirectory(prefix="ble-rig-")
        process = await children.start(
            [sys.executable, "-m", "tests.bluez.walled_radio", captures.name],
            stdin=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        log = Log("radio")
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while line := (await process.stdout.readline()).decode():
                    log.add(line.rstrip())
                    if match := re.fullmatch(r"radio: listening on (\S+):(\d+)\n", line):
                        return cls(process, (match[1], int(match[2])), log, captures)
        except BaseException:
            await children.kill(process)
            raise
        await children.kill(process)
        raise RuntimeError("the radio daemon does not start:\n" + "\n".join(log.lines))

    def __str__(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def wall_off(self, pairs: list[tuple[str, str]]) -> None:
        """Let these pairs of addresses not hear each other, and all others do."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(pairs).encode() + b"\n")

    def save_capture(self, address: str, path: Path) -> None:
        """Copy what has passed between the controller with this address and its host, for ``btmon -r``."""
        capture = Path(self._captures.name) / f"{address}.btsnoop"
        if capture.exists():  # its controller may never have had a host
            shutil.copyfile(capture, path)

    async def stop(self) -> None:
        """End it."""
        await children.kill(self._process)
        self._follower.cancel()
        self._captures.cleanup()
