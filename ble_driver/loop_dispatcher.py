"""What both dispatchers share: an asyncio loop behind the `Dispatcher` contract."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from .dispatcher import Dispatcher, DispatcherClosedError, T, Timer, call_isolated
from .submitted import Submitted

logger = logging.getLogger(__name__)


class LoopTimer(Timer):
    """A timer of an asyncio loop that may be cancelled from any thread."""

    __slots__ = ("_dispatcher", "_handle", "cancelled")

    def __init__(self, dispatcher: LoopDispatcher) -> None:
        self._dispatcher = dispatcher
        self._handle: asyncio.TimerHandle | None = None
        self.cancelled = False

    def arm(self, delay: float, function: Callable[..., object], args: tuple[object, ...]) -> None:
        """Start the countdown; on the loop's own thread."""
        if not self.cancelled:
            self._handle = self._dispatcher.loop.call_later(delay, self._fire, function, args)

    def _fire(self, function: Callable[..., object], args: tuple[object, ...]) -> None:
        self._handle = None
        if not self.cancelled:
            call_isolated(function, args)

    def cancel(self) -> None:
        self.cancelled = True
        # Elsewhere the flag alone must do: asyncio's handles belong to their loop's thread.
        if self._handle is not None and self._dispatcher.owns_thread:
            self._handle.cancel()
            self._handle = None


class LoopDispatcher(Dispatcher):
    """A `Dispatcher` on an asyncio loop; subclasses say who runs the loop, and on which time."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id: int | None = None
        self._tasks: set[asyncio.Task[object]] = set()
        self._submitted: dict[Submitted[Any], asyncio.AbstractEventLoop] = {}

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The asyncio loop, for drivers that are written in asyncio.

        Raises:
            DispatcherClosedError: the dispatcher does not run.
        """
        if self._loop is None:
            raise DispatcherClosedError("the dispatcher is not running: start it first")
        return self._loop

    @property
    def owns_thread(self) -> bool:
        """Whether the caller is on the thread that runs the loop, so that it may touch the loop directly."""
        return threading.get_ident() == self._thread_id

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        if self.owns_thread:
            self.loop.call_soon(call_isolated, function, args)
            return
        try:
            self.loop.call_soon_threadsafe(call_isolated, function, args)
        except RuntimeError as error:
            raise DispatcherClosedError("the dispatcher has been closed") from error

    def call_later(self, delay: float, function: Callable[..., object], *args: object) -> Timer:
        timer = LoopTimer(self)
        if self.owns_thread:
            timer.arm(delay, function, args)
        else:
            self.call_soon(timer.arm, delay, function, args)
        return timer

    def spawn(self, coroutine: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)  # asyncio itself holds tasks only weakly
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task of the dispatcher raised: %r", task, exc_info=error)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        future = Submitted(coroutine)
        try:
            loop = self.loop
            self._submitted[future] = loop  # before it is posted: what the loop does not come to ends with the loop
            loop.call_soon_threadsafe(future.begin, loop)
        except RuntimeError as error:  # DispatcherClosedError is one
            self._submitted.pop(future, None)
            coroutine.close()
            raise DispatcherClosedError("the dispatcher is not running, or has been closed") from error
        future.add_done_callback(self._submitted_done)
        return future

    def _submitted_done(self, future: concurrent.futures.Future[Any]) -> None:
        assert isinstance(future, Submitted)
        self._submitted.pop(future, None)
        if future.cancelled():
            with contextlib.suppress(DispatcherClosedError):
                self.call_soon(future.cancel_task)

    def _end_submitted(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop has ended: let nobody wait for what it has not come to."""
        for future, its_loop in list(self._submitted.items()):
            if its_loop is loop:
                future.abandon()

    async def sleep(self, delay: float) -> None:
        loop = self.loop
        if asyncio.get_running_loop() is loop:
            await asyncio.sleep(delay)
            return
        future = self.submit(asyncio.sleep(delay))
        try:
            await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if self._loop is not loop:
                raise DispatcherClosedError("the dispatcher was closed meanwhile") from None
            raise

    async def _cancel_tasks(self, timeout: float) -> None:
        """Cancel every task of the loop but this one; name those that do not end in time."""
        tasks = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=timeout)
            for task in pending:
                logger.error("a task did not end within %.1f s of being cancelled: %r", timeout, task)
