"""How far it is, for a person who waits."""

from __future__ import annotations

import time
from typing import TextIO

WIDTH = 30


class Progress:
    """A bar on a terminal; nothing where nobody looks.

    Args:
        stream: where to draw it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._visible = stream.isatty()
        self._begun, self._drawn = time.monotonic(), 0.0

    def show(self, done: float) -> None:
        """Draw how much is done, from 0 to 1; at most ten times a second."""
        now = time.monotonic()
        if not self._visible or (done < 1.0 and now - self._drawn < 0.1):
            return
        self._drawn = now
        left = (now - self._begun) * (1.0 - done) / done if done else 0.0
        bar = ("#" * round(done * WIDTH)).ljust(WIDTH, ".")
        self._stream.write(f"\r[{bar}] {done:4.0%}, {left / 60.0:.1f} minutes left ")
        self._stream.flush()

    def clear(self) -> None:
        """Leave an empty line."""
        if self._visible:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
