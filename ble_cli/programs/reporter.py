"""What programs tell: words for people, or one JSON object per line for programs.

Each object has `event` and `time`, seconds since the start. The names of the events stay as they are, because programs
rely on them: started, discovered, connecting, connected, failed, disconnected, error (trouble with the radio), sent,
received, verified, and at the very end done, with `ok` and `reason`. `two_node_reticulum.py` adds those of
`reticulum_node.py`.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import TextIO


class Reporter:
    """Writes events, from any thread, each whole.

    Args:
        out: where to.
        as_json: whether for a program to read.
        on_reader_gone: called when nobody reads any more.
    """

    def __init__(self, out: TextIO, *, as_json: bool, on_reader_gone: Callable[[], object] = lambda: None) -> None:
        self._out = out
        self._as_json = as_json
        self._on_reader_gone = on_reader_gone
        self._started = time.monotonic()
        self._lock = threading.Lock()

    @property
    def for_people(self) -> bool:
        """Whether people read this."""
        return not self._as_json

    def report(self, event: str, text: str | None, /, **details: object) -> None:
        """Tell one event.

        Args:
            event: what programs know it by; these names do not change.
            text: what a person reads; None for what need not be read.
            **details: what a program reads besides.
        """
        elapsed = time.monotonic() - self._started
        if self._as_json:
            self._write(json.dumps({"event": event, "time": round(elapsed, 3), **details}))
        elif text is not None:
            self._write(f"{elapsed:8.2f}  {text}")

    def say(self, text: str) -> None:
        """Tell people something that programs know already."""
        if not self._as_json:
            self.report("", text)

    def _write(self, line: str) -> None:
        with self._lock:
            try:
                print(line, file=self._out, flush=True)
                return
            except BrokenPipeError:
                # What is still to come goes nowhere, and raises nothing.
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())
        self._on_reader_gone()
