"""Runs the command as users do, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.examples.running import Example

COMMAND = (sys.executable, "-m", "ble_cli")


@contextmanager
def command(directory: Path, *arguments: str, stdin: int | None = None, **environment: str) -> Iterator[Example]:
    """A running `ble-interface`, which is gone at the end."""
    run = Example(
        directory,
        COMMAND,
        *arguments,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        environment=environment,
    )
    try:
        yield run
    finally:
        run.close()
