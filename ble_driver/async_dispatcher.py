"""The dispatcher of a program: an asyncio loop on a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from .dispatcher import DispatcherClosedError, T, Worker, call_isolated
from .errors import DriverStateError
from .loop_dispatcher import LoopDispatcher

logger = logging.getLogger(__name__)


class AsyncDispatcher(LoopDispatcher):
    """Runs calls, timers and coroutines on one thread; reached from all others.

    Args:
        name: the thread's name, as debuggers show it.
    """

    def __init__(self, name: str = "ble-dispatcher") -> None:
        super().__init__()
        self._name = name
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()  # start and close may be called from several threads

    def start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            running = threading.Event()
            self._thread = threading.Thread(target=self._main, args=(running,), name=self._name, daemon=True)
            self._thread.start()
            running.wait()

    def _main(self, running: threading.Event) -> None:
        loop = asyncio.new_event_loop()
        self._loop, self._thread_id = loop, threading.get_ident()
        loop.call_soon(running.set)
        try:
            loop.run_forever()
        finally:
            if self._loop is loop:  # a callback may have closed this one, and somebody started the next already
                self._loop = self._thread_id = None
            loop.close()
            self._end_submitted(loop)

    def close(self, timeout: float = 2.0) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is None:
                return
            self.call_soon(self._begin_shutdown, timeout / 2)
        if self.owns_thread:
            return  # called from a callback: the loop ends as soon as that returns
        thread.join(timeout)
        if thread.is_alive():
            where = _stack_of(thread)
            logger.error("dispatcher %r did not end within %.1f s; it is blocked in\n%s", self._name, timeout, where)

    def where(self) -> str:
        """Return the call stack of the dispatcher's thread at this moment, for people; from another thread."""
        thread = self._thread
        return _stack_of(thread) if thread is not None else "(it does not run)"

    def _begin_shutdown(self, timeout: float) -> None:
        # Of this loop, which is not `loop` any more if somebody has started the next already.
        task = asyncio.get_running_loop().create_task(self._shutdown(timeout))
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    async def _shutdown(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        await self._cancel_tasks(timeout)
        await loop.shutdown_asyncgens()
        loop.stop()

    def time(self) -> float:
        return time.monotonic()

    @property
    def is_current(self) -> bool:
        return self.owns_thread

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float) -> T:
        if self.is_current:
            coroutine.close()
            raise DriverStateError("the dispatcher cannot wait for itself: await the coroutine, or use submit")
        future = self.submit(coroutine)
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            if future.done():  # the coroutine's own error, or it was done in the last moment
                return future.result()
            future.cancel()
            raise TimeoutError(f"not done within {timeout} s") from None
        except concurrent.futures.CancelledError:
            raise DispatcherClosedError("the dispatcher was closed before it was done") from None

    def create_worker(self, name: str) -> Worker:
        return ThreadWorker(name)


def _stack_of(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return "".join(traceback.format_stack(frame)) if frame else "(unknown)"


class ThreadWorker(Worker):
    """A worker with a thread of its own, which starts with the first call and ends with `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[tuple[Callable[..., object], tuple[object, ...]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = self._aborted = False

    def post(self, function: Callable[..., object], *args: object) -> None:
        with self._lock:
            if self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)
                self._thread.start()
        self._calls.put((function, args))

    def _main(self) -> None:
        while (call := self._calls.get()) is not None:
            if not self._aborted:
                call_isolated(*call)

    def close(self, timeout: float) -> None:
        with self._lock:
            self._closed = True
            thread = self._thread
        self._calls.put(None)
        if thread is threading.current_thread():
            self._aborted = True
        elif thread is not None:
            thread.join(timeout)
            self._aborted = True
            if thread.is_alive():
                logger.warning(
                    "worker %r is still busy after %.1f s; it ends with the call it is in", self._name, timeout
                )
