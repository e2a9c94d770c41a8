"""How far a transfer is: a bar on a terminal, a line for every tenth elsewhere, events for programs."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from ..programs.reporter import Reporter

STEPS = 10


class TransferProgress:
    """The progress of one transfer.

    Args:
        reporter: what lines and events go to.
        what: what is transferred, fit to be shown.
        size: bytes of all of it.
        console: where to draw; nothing is drawn unless it is a terminal, and people read it.
    """

    def __init__(self, reporter: Reporter, what: str, size: int, console: Console | None = None) -> None:
        self._reporter, self._what, self._size = reporter, what, size
        self._begun = time.monotonic()
        self._told = 0
        console = console or Console(highlight=False)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if console.is_terminal and reporter.for_people:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task(what, total=size)
            self._bar.start()

    def update(self, done: int) -> None:
        """So many bytes are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
            return
        step = STEPS * done // max(1, self._size)
        if step > self._told:
            self._told = step
            rate = done / max(time.monotonic() - self._begun, 1e-6)
            self._reporter.report(
                "progress",
                f"{self._what}: {100 * done // max(1, self._size):3} %, {rate / 1000:.1f} kB/s",
                bytes=done,
                of=self._size,
                bytes_per_s=round(rate),
            )

    def end(self) -> float:
        """It is over; return the seconds that it took."""
        if self._bar is not None:
            self._bar.stop()
        return max(time.monotonic() - self._begun, 1e-6)
