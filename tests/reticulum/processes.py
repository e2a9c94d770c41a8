"""Real Reticulum nodes in processes of their own: Reticulum exists once in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent

CONFIG = """\
[reticulum]
  enable_transport = No
  share_instance = No
  panic_on_interface_error = No
[logging]
  loglevel = 5
[interfaces]
  [[BLE]]
    type = BLEInterface
    enabled = Yes
{section}
"""


def write_config(directory: Path, **keys: str) -> Path:
    """Write a configuration directory whose only interface is ours."""
    (directory / "interfaces").mkdir(parents=True)
    (directory / "interfaces" / "BLEInterface.py").write_text("from ble_interface.reticulum import interface_class\n")
    section = "\n".join(f"    {key} = {value}" for key, value in keys.items())
    (directory / "config").write_text(CONFIG.format(section=section))
    return directory


class Process:
    """A process whose standard output is JSON lines."""

    def __init__(self, *command: str) -> None:
        self.lines: list[str] = []
        self.log: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, self.lines)),
            threading.Thread(target=self._read, args=(self._process.stderr, self.log)),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip())

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of one kind that the process has told so far."""
        events = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [event for event in events if event["event"] == kind]

    def stop(self) -> int:
        """End the process: first its input, then the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return code


@contextmanager
def running(*command: str) -> Iterator[Process]:
    """A process that is ended at the end."""
    process = Process(*command)
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def radio() -> Iterator[str]:
    """A radio daemon; the value is its host and port."""
    with running("-m", "drivers.bumble_driver.radio", "--port", "0", "--exit-with-parent") as process:
        wait_for(lambda: process.lines, 15)
        yield process.lines[0].rpartition(" ")[2]


def node(config: Path, name: str) -> Any:
    """A full Reticulum node, as the examples have it."""
    return running("examples/reticulum_node.py", "--config", str(config), "--name", name)


def wait_for(condition: Callable[[], object], timeout: float) -> None:
    """Wait until the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
