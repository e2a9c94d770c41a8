"""The dispatcher of a test: an asyncio loop on virtual time, driven by the test itself.

Nothing waits: when no call is due, the clock jumps to the next one. An hour of timers passes in milliseconds, and the
same calls happen in the same order every time.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import selectors
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from .dispatcher import DispatcherClosedError, T, Timer, Worker, call_isolated
from .errors import DriverStateError
from .loop_dispatcher import LoopDispatcher

#: Seconds by which the clock oversteps the moment it jumps to, so that a timer never fires before its time: asyncio
#: makes calls that are due within its clock's resolution, and on a clock that stands still that could be for ever.
TICK = 1e-9
#: Timers beyond which those that were cancelled are swept out, again and again whenever their number has doubled.
SWEEP_LEAST = 1000


class _TimeWarp(selectors.BaseSelector):
    """A selector that lets time pass instead of waiting for files."""

    def __init__(self) -> None:
        self.now = 0.0
        self._files = selectors.SelectSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("virtual time stands still: nothing is scheduled, and nothing can wake this loop")
        if timeout > 0:
            self.now += timeout + TICK
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._files.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._files.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._files.get_map()

    def close(self) -> None:
        self._files.close()


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, warp: _TimeWarp) -> None:
        self._warp = warp
        super().__init__(warp)

    def time(self) -> float:
        return self._warp.now


class _VirtualTimer(Timer):
    """A call that is due at some time; cancelled, it is passed over when that time comes."""

    __slots__ = ("call",)

    def __init__(self, function: Callable[..., object], args: tuple[object, ...]) -> None:
        self.call: tuple[Callable[..., object], tuple[object, ...]] | None = (function, args)

    def fire(self) -> None:
        """Make the call, unless it was cancelled."""
        if self.call is not None:
            call_isolated(*self.call)

    def cancel(self) -> None:
        self.call = None


class VirtualDispatcher(LoopDispatcher):
    """A dispatcher whose time passes only in `run_for` and `run_until`, on the thread that calls them.

    It keeps its timers itself, in a heap of tuples, and has the loop wake it for the first of them: a thousand nodes
    have ten thousand timers, and asyncio compares its own in Python.
    """

    def __init__(self) -> None:
        super().__init__()
        self._timers: list[tuple[float, int, _VirtualTimer]] = []
        self._sweep_at = SWEEP_LEAST
        self._numbers = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None
        self._warp = _TimeWarp()
        self._loop = _VirtualLoop(self._warp)
        self._thread_id = threading.get_ident()

    def start(self) -> None:
        """Do nothing: the test drives the loop."""

    def close(self, timeout: float = 2.0) -> None:
        """Cancel what is pending and free the loop."""
        if self._loop is not None and not self._loop.is_running():
            self._timers.clear()
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
            self._arm(timer, delay)
        else:
            self.call_soon(self._arm, timer, delay)
        return timer

    def _arm(self, timer: _VirtualTimer, delay: float) -> None:
        if len(self._timers) >= self._sweep_at:
            self._timers = [entry for entry in self._timers if entry[2].call is not None]
            heapq.heapify(self._timers)
            self._sweep_at = 2 * len(self._timers) + SWEEP_LEAST
        entry = (self.time() + delay, next(self._numbers), timer)
        heapq.heappush(self._timers, entry)
        if self._timers[0] is entry:
            self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self.loop.call_at(self._timers[0][0], self._ring) if self._timers else None

    def _ring(self) -> None:
        self._alarm, now = None, self.time()
        due = []
        while self._timers and self._timers[0][0] <= now:
            due.append(heapq.heappop(self._timers)[2])
        for timer in due:  # one that is set by another has its turn after what that one has posted
            timer.fire()
        self._set_alarm()

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
