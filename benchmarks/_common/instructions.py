"""Instructions of the processor, counted by callgrind: they do not depend on what else the machine does.

The program that is measured runs each operation N times and then 2 N times; the difference is N operations without the
start of the interpreter, the loop's own start, or anything else that happens once. Between two counts it calls
`os.getppid`, which nothing else calls, and at which callgrind writes down what it has counted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class Counted(NamedTuple):
    """An operation to count: what it is called, and how often to run it."""

    name: str
    operation: Callable[[], object]
    times: int


def run_between_marks(operations: Iterable[Counted]) -> None:
    """What the measured program does with its operations."""
    for name, operation, times in operations:
        _repeat(operation, 3 + times)  # fills caches, and lets the interpreter specialise its own code
        os.getppid()
        _repeat(operation, times)
        os.getppid()
        _repeat(operation, 2 * times)
        os.getppid()
        print(name, times)


def _repeat(operation: Callable[[], object], times: int) -> None:
    for _ in range(times):
        operation()


def count_instructions(module: str, *arguments: str) -> dict[str, float] | None:
    """Run a program that calls `run_between_marks`; return instructions per operation, or None without valgrind."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return None
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "counts"
        tool = (valgrind, "-q", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={out}")
        done = subprocess.run(
            [*tool, sys.executable, "-m", module, *arguments],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        counts = {}
        for place, line in enumerate(done.stdout.splitlines()):
            name, times = line.rsplit(" ", 1)
            # Three dumps each: what came before, N operations, 2 N operations.
            once, twice = (_total(Path(f"{out}.{3 * place + dump}")) for dump in (2, 3))
            counts[name] = (twice - once) / int(times)
        return counts


def _total(dump: Path) -> int:
    totals: Sequence[str] = [line for line in dump.read_text().splitlines() if line.startswith("totals:")]
    return int(totals[0].split()[1])
