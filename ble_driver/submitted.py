"""The future of a coroutine that runs on a dispatcher, for other threads and loops."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Submitted(concurrent.futures.Future[T]):
    """Carries what the coroutine returns or raises; an exception that nobody looks at is logged.

    `asyncio.run_coroutine_threadsafe` loses such an exception, and its future is never done if the loop ends first.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        super().__init__()
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None
        self._unseen: BaseException | None = None

    # --- for the dispatcher -------------------------------------------------------------------------------------------

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the coroutine; on the loop."""
        if self.cancelled():
            self._coroutine.close()
            return
        self._task = loop.create_task(self._coroutine)
        self._task.add_done_callback(self._take)

    def cancel_task(self) -> None:
        """The future was cancelled: so is the coroutine; on the loop."""
        if self._task is not None:
            self._task.cancel()

    def abandon(self) -> None:
        """The loop is closed."""
        if self._task is None:
            self._coroutine.close()
        self.cancel()

    def _take(self, task: asyncio.Task[T]) -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self.cancel()
        if not self.set_running_or_notify_cancel():
            if error is not None:
                logger.error("a coroutine raised after it was cancelled", exc_info=error)
        elif error is not None:
            self._unseen = error
            self.set_exception(error)
        else:
            self.set_result(task.result())

    # --- for whoever submitted ----------------------------------------------------------------------------------------

    def result(self, timeout: float | None = None) -> T:
        """Return what the coroutine returned, or raise what it raised; see `concurrent.futures.Future.result`."""
        try:
            return super().result(timeout)
        finally:
            self._look()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the coroutine raised; see `concurrent.futures.Future.exception`."""
        try:
            return super().exception(timeout)
        finally:
            self._look()

    def _look(self) -> None:
        if self.done():  # else the wait was too short
            self._unseen = None

    def __del__(self) -> None:
        if self._unseen is not None:
            logger.error("a coroutine that was submitted raised, and nobody looked", exc_info=self._unseen)
