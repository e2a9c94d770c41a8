"""The thread on which D-Bus calls of BlueZ to us arrive: dbus-python needs GLib's main loop to run somewhere.

GLib's default context is one per process, so this thread is too: it runs while any driver needs it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from gi.repository import GLib

T = TypeVar("T")


class GLibThread:
    """Runs GLib's default main context while somebody holds it."""

    _lock = threading.Lock()
    _holders = 0
    _loop: Any = None
    _thread: threading.Thread | None = None

    @classmethod
    def acquire(cls) -> None:
        """Have the thread run; each call wants a `release`."""
        with cls._lock:
            cls._holders += 1
            if cls._thread is None:
                cls._loop = GLib.MainLoop()
                cls._thread = threading.Thread(target=cls._loop.run, name="ble-glib", daemon=True)
                cls._thread.start()

    @classmethod
    def release(cls, timeout: float = 1.0) -> None:
        """Need it no longer; with the last holder it ends."""
        with cls._lock:
            cls._holders -= 1
            if cls._holders:
                return
            loop, thread, cls._thread = cls._loop, cls._thread, None
        # From inside, because a loop that has not begun to run cannot be told to quit from outside.
        GLib.idle_add(loop.quit, priority=GLib.PRIORITY_DEFAULT)
        if thread is not None:
            thread.join(timeout)

    @staticmethod
    async def call(function: Callable[..., T], *args: Any) -> T:
        """Call a function on the thread and await its result."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> bool:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function(*args))
                except Exception as error:
                    future.set_exception(error)
            return False  # once

        GLib.idle_add(run, priority=GLib.PRIORITY_DEFAULT)
        return await asyncio.wrap_future(future)

    @staticmethod
    async def reply(start: Callable[[Callable[..., None], Callable[[Exception], None]], Any], timeout: float) -> None:
        """Make an asynchronous D-Bus call on the thread and await its reply.

        Args:
            start: is called with the handlers of reply and error, and makes the call with them.
            timeout: seconds to wait.
        """
        future: concurrent.futures.Future[None] = concurrent.futures.Future()

        def done(*_: object) -> None:
            if not future.done():
                future.set_result(None)

        def failed(error: Exception) -> None:
            if not future.done():
                future.set_exception(error)

        await GLibThread.call(start, done, failed)
        await asyncio.wait_for(asyncio.wrap_future(future), timeout)
