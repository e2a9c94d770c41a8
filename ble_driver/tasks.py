"""Small questions to asyncio that may be asked from anywhere, and a wait that is really bounded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs on this thread, None if there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def current_task() -> asyncio.Task[Any] | None:
    """Return the task that runs on this thread, None outside of any."""
    return None if running_loop() is None else asyncio.current_task()


async def within(seconds: float, awaitable: Awaitable[T], grace: float = 0.0) -> T:
    """Await something for `seconds`, and return its result.

    Raises:
        TimeoutError: time was up, or it gave itself up.
    """
    task = await finished_within(seconds, awaitable, grace)
    if task is None or task.cancelled():  # to pass its own cancellation on would end the caller's task
        raise TimeoutError(f"no answer within {seconds:g} s" if task is None else "the call was given up")
    return task.result()


async def finished_within(seconds: float, awaitable: Awaitable[T], grace: float = 0.0) -> asyncio.Future[T] | None:
    """Await something for `seconds`; not by `asyncio.wait_for`, which waits for what ignores its end.

    Args:
        seconds: how long to wait.
        awaitable: what to wait for. It is cancelled when time is up or the caller is.
        grace: seconds that it gets then to clean up; if it needs more, it is left behind.

    Returns:
        What has finished, None if time was up.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        # In two halves: if the loop was blocked meanwhile, the answer may be there and only not have been read yet.
        for _ in range(2):
            await asyncio.wait({task}, timeout=seconds / 2)
            if task.done():
                return task
        return None
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget)
            if grace:
                await asyncio.wait({task}, timeout=grace)
            if not task.done():
                logger.debug("left behind, as it does not heed its cancellation yet: %r", task)


def _forget(task: asyncio.Future[Any]) -> None:
    """Take note of how it ended, so that asyncio does not complain that nobody did."""
    if not task.cancelled():
        task.exception()
