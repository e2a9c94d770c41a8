"""Runs examples as users do, in processes of their own, and waits for what they tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
#: Seconds for anything at all, however busy the machine is.
PATIENCE = 60.0

Event = dict[str, Any]


class Example:
    """A running example, or another program. It is started from `directory`, as it must run from anywhere."""

    def __init__(
        self,
        directory: Path,
        program: tuple[str, ...],
        *arguments: str,
        stdin: int = subprocess.DEVNULL,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.events: list[Event] = []
        self.errors: list[str] = []
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [*program, *arguments],
            cwd=directory,
            env={**os.environ, **environment},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self._take)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.errors.append)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str], take: Any) -> None:
        for line in stream:
            take(line.rstrip("\n"))
        if take == self._take:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _take(self, line: str) -> None:
        with self._changed:
            self._lines.append(line)
            if line.startswith("{"):
                self.events.append(json.loads(line))
            self._changed.notify_all()

    @property
    def output(self) -> str:
        return "\n".join(self._lines)

    def __str__(self) -> str:
        return "\n".join([*self._lines, *self.errors])

    def expect(self, event: str, **fields: object) -> Event:
        """Wait for an event with these fields and return it."""

        def find() -> Event | None:
            wanted = {"event": event, **fields}
            return next((e for e in self.events if wanted.items() <= e.items()), None)

        with self._changed:
            self._changed.wait_for(lambda: find() is not None or self._ended, PATIENCE)
            found = find()
        assert found is not None, f"no {event} {fields} in:\n{self}"
        return found

    def finish(self) -> int:
        """Wait for its end; return its exit code."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end:\n{self}") from None
        for reader in self._readers:
            reader.join()
        return code

    def end_by(self, signum: int) -> tuple[int, float]:
        """Send it a signal; return its exit code and how many seconds it took to end."""
        sent = time.monotonic()
        self.process.send_signal(signum)
        return self.finish(), time.monotonic() - sent

    def close(self) -> None:
        self.process.kill()
        self.finish()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def example(directory: Path, script: str, *arguments: str, **environment: str) -> Iterator[Example]:
    """A running example, which is gone at the end."""
    run = Example(directory, (sys.executable, str(EXAMPLES / script)), *arguments, environment=environment)
    try:
        yield run
    finally:
        run.close()
