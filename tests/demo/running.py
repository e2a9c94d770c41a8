"""Runs the demo over UDP in a process of its own, and finds what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
TIME_LIMIT = 30.0


class Run:
    """One running demo. Its output is read as it comes; all its processes carry a mark in their environment."""

    def __init__(self, directory: Path, *arguments: str, fault: str | None = None, time_limit: float = 20.0) -> None:
        self.temporary = directory / uuid.uuid4().hex
        self.temporary.mkdir()
        self._mark = f"DEMO_TEST_MARK={self.temporary.name}"
        environment = {
            **os.environ,
            "TMPDIR": str(self.temporary),
            "DEMO_TIME_LIMIT": str(time_limit),
            "DEMO_TEST_MARK": self.temporary.name,
        }
        if fault is not None:
            environment |= {"DEMO_FAULT": fault, "DEMO_NODE_SCRIPT": str(HERE / "faulty_node.py")}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "over_udp.py"), *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self._guard = threading.Timer(TIME_LIMIT, self.process.kill)
        self._guard.start()

    def read_until(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if text in line:
                return
        raise AssertionError(f"{text!r} never came in:\n{self.output}")

    def finish(self) -> int:
        assert self.process.stdout is not None
        self.output += self.process.stdout.read()
        return self.process.wait()

    def processes(self) -> list[int]:
        """Every process that descends from this run, the orchestrator included, wherever it has been adopted."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if self._mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        return found

    def left_behind(self) -> list[str]:
        return [path.name for path in self.temporary.iterdir()]

    def close(self) -> None:
        self._guard.cancel()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def running(directory: Path, *arguments: str, fault: str | None = None, time_limit: float = 20.0) -> Iterator[Run]:
    run = Run(directory, *arguments, fault=fault, time_limit=time_limit)
    try:
        yield run
    finally:
        run.close()


def wait_until_gone(pids: list[int], timeout: float) -> bool:
    """True once all of these processes, children or not, have ended."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([descriptor], [], [], timeout)[0]:
                return False
        finally:
            os.close(descriptor)
    return True
