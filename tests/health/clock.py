"""A clock that a test sets, and patience for real threads."""

from __future__ import annotations

import time
from collections.abc import Callable

SOON = 5.0  # seconds that real threads are given for what takes them milliseconds


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def eventually(condition: Callable[[], object]) -> bool:
    """Wait until the condition holds; return whether it came to."""
    deadline = time.monotonic() + SOON
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True
