"""Processes that a benchmark starts, and the JSON lines that they print."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: Seconds that a child gets to end by itself.
END_TIME = 10.0


class ChildError(Exception):
    """A child did not say what was expected in time, or ended."""


class Child:
    """One process.

    Args:
        arguments: of Python.

    Attributes:
        started: when, by `time.monotonic`.
    """

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._events: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                self._events.put((time.monotonic(), json.loads(line)))

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def expect(self, event: str, timeout: float = 60.0) -> tuple[float, dict[str, Any]]:
        """Return the next event of this name and when it came; what comes before it is forgotten.

        Raises:
            ChildError: it did not come.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                at, got = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise ChildError(f"{' '.join(self._arguments)}: no {event!r} within {timeout:g} s") from None
            if got["event"] == event:
                return at, got

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_TIME)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(END_TIME)
        self._process.stdout.close()


@contextmanager
def children(*commands: tuple[str, ...]) -> Iterator[list[Child]]:
    """Run some processes at once, and end them."""
    started: list[Child] = []
    try:
        for command in commands:
            started.append(Child(*command))
        yield started
    finally:
        for child in reversed(started):
            child.stop()


@contextmanager
def a_radio() -> Iterator[str]:
    """The radio daemon of bumble drivers; what it yields is its address."""
    command = [sys.executable, "-m", "drivers.bumble_driver.radio", "--port", "0", "--exit-with-parent"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as radio:
        assert radio.stdout is not None
        assert radio.stdin is not None
        yield radio.stdout.readline().rsplit(" ", 1)[1].strip()
        radio.stdin.close()
