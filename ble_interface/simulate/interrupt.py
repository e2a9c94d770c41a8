"""Ctrl-C, at a moment at which nothing is in the middle of something."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Raise KeyboardInterrupt from the function that is yielded, and nowhere else.

    Raised in the midst of a task it would be that task's failure as well, of which asyncio tells the user.
    """
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
