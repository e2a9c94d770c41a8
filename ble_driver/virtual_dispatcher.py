"""The dispatcher of a test: an asyncio loop on virtual time, driven by the test itself.

Nothing waits: when no call is due, the clock jumps to the next one. An hour of timers passes in milliseconds, and the
same calls happen in the same order every time.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context, copy_context
from typing import Any

from .agenda import Agenda
from .dispatcher import DispatcherClosedError, T, Timer, Worker, call_isolated
from .errors import DriverStateError
from .loop_dispatcher import LoopDispatcher

#: Seconds by which the clock oversteps the moment it jumps to: who computes how long it waited must not get less than
#: asked for because of the last bit of a sum.
TICK = 1e-9


class _VirtualTimer(Timer):
    """A call that is due at some time."""

    __slots__ = ("_call",)
    context: Context | None = None

    def __init__(self, function: Callable[..., object], args: tuple[object, ...]) -> None:
        self._call: tuple[Callable[..., object], tuple[object, ...]] | None = (function, args)

    def cancelled(self) -> bool:
        return self._call is None

    def cancel(self) -> None:
        self._call = None

    def fire(self) -> None:
        """Make the call, unless it was cancelled."""
        if self._call is not None:
            call_isolated(*self._call)


class _VirtualHandle(asyncio.TimerHandle):
    """The same for callers of the loop itself, in the form that asyncio gives it."""

    __slots__ = ("_call", "context")

    def __init__(
        self,
        when: float,
        call: tuple[Callable[..., object], tuple[Any, ...]],
        loop: asyncio.AbstractEventLoop,
        context: Context,
    ) -> None:
        super().__init__(when, *call, loop, context)
        self._call = call
        self.context = context

    def fire(self) -> None:
        """Make the call, unless it was cancelled."""
        if not self.cancelled():
            function, args = self._call
            function(*args)


class _TimeWarp(selectors.BaseSelector):
    """A selector that lets time pass instead of waiting for files.

    The loop asks for files when it has made every call that was due, and is handed the calls that are due next.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.agenda: Agenda[_VirtualTimer | _VirtualHandle] = Agenda()
        self.loop: asyncio.AbstractEventLoop
        self._files = selectors.SelectSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            when = self.agenda.next_time()
            if when is None:
                raise RuntimeError("virtual time stands still: nothing is scheduled, and nothing can wake this loop")
            self.now = max(self.now, when + TICK)
        while (timer := self.agenda.take(self.now)) is not None:
            self.loop.call_soon(timer.fire, context=timer.context)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._files.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._files.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._files.get_map()

    def close(self) -> None:
        self.agenda.clear()
        self._files.close()


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, warp: _TimeWarp) -> None:
        self._warp = warp
        super().__init__(warp)
        warp.loop = self

    def time(self) -> float:
        return self._warp.now

    def call_at(  # type: ignore[override]  # to say that args are the callback's takes TypeVarTuple, of Python 3.11
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = _VirtualHandle(when, (callback, args), self, context or copy_context())
        self._warp.agenda.add(when, handle)
        return handle


class VirtualDispatcher(LoopDispatcher):
    """A dispatcher whose time passes only in `run_for` and `run_until`, on the thread that calls them."""

    def __init__(self) -> None:
        super().__init__()
        self._warp = _TimeWarp()
        self._loop = _VirtualLoop(self._warp)
        self._thread_id = threading.get_ident()

    def start(self) -> None:
        """Do nothing: the test drives the loop."""

    def close(self, timeout: float = 2.0) -> None:
        """Cancel what is pending and free the loop."""
        if self._loop is not None and not self._loop.is_running():
            self._loop.run_until_complete(self._cancel_tasks(timeout))
            self._loop.close()
            self._loop = None

    def __enter__(self) -> VirtualDispatcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def time(self) -> float:
        return self._warp.now

    @property
    def is_current(self) -> bool:
        return self.owns_thread and self._loop is not None and self._loop.is_running()

    def call_later(self, delay: float, function: Callable[..., object], *args: object) -> Timer:
        timer = _VirtualTimer(function, args)
        if self.owns_thread:
            self._schedule(delay, timer)
        else:
            self.call_soon(self._schedule, delay, timer)
        return timer

    def _schedule(self, delay: float, timer: _VirtualTimer) -> None:
        self._warp.agenda.add(self.time() + delay, timer)

    def run_for(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass and make all calls that fall due in it."""
        self.loop.call_later(seconds, self.loop.stop)
        self.loop.run_forever()

    def run_until(self, condition: Callable[[], object], timeout: float = 60.0, step: float = 0.01) -> bool:
        """Let virtual time pass until `condition()` is true; return whether it became so within `timeout` seconds.

        The condition is looked at every `step` seconds of virtual time.
        """
        deadline = self.time() + timeout
        while not condition():
            if self.time() >= deadline:
                return False
            self.run_for(step)
        return True

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float) -> T:
        loop = self._loop
        if loop is None or loop.is_running():
            coroutine.close()
            if loop is None:
                raise DispatcherClosedError("the dispatcher has been closed")
            raise DriverStateError("the dispatcher cannot wait for itself: await the coroutine")
        task = loop.create_task(coroutine)
        loop.run_until_complete(asyncio.wait({task}, timeout=timeout))
        if not task.done():
            task.cancel()
            loop.run_until_complete(asyncio.wait({task}))
            raise TimeoutError(f"not done within {timeout} s of virtual time")
        return task.result()

    def create_worker(self, name: str) -> Worker:
        return _LoopWorker(self)


class _LoopWorker(Worker):
    """On virtual time the loop itself is the worker: calls are made in order, each in a turn of its own."""

    def __init__(self, dispatcher: VirtualDispatcher) -> None:
        self._dispatcher = dispatcher
        self._calls: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()
        self._closed = False

    def post(self, function: Callable[..., object], *args: object) -> None:
        if not self._closed:
            self._calls.append((function, args))
            self._dispatcher.call_soon(self._make_one)

    def _make_one(self) -> None:
        if self._calls:
            call_isolated(*self._calls.popleft())

    def close(self, timeout: float) -> None:
        self._closed = True
        if not self._dispatcher.is_current:
            while self._calls:
                self._make_one()
        self._calls.clear()
