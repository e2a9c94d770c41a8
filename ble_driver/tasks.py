"""Who is running? Small questions to asyncio that may be asked from anywhere."""

from __future__ import annotations

import asyncio
from typing import Any


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs on this thread, None if there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def current_task() -> asyncio.Task[Any] | None:
    """Return the task that runs on this thread, None outside of any."""
    return None if running_loop() is None else asyncio.current_task()
