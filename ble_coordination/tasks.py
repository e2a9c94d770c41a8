"""Ends tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any

#: Seconds until a task that goes on is cancelled again.
AGAIN = 0.2


async def end_tasks(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait until they have ended.

    Once is not enough: up to Python 3.11 `asyncio.wait_for` swallows a cancellation that comes just as what it waits
    for is done, in our code and in libraries.
    """
    left = {task for task in tasks if task is not None}
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=AGAIN)
        for task in done:
            if not task.cancelled():
                task.exception()  # whoever wants to know has asked before
