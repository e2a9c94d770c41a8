"""A scanner that gives way: it scans in passes, between which the adapter is free for clients."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from ..errors import RadioError
from .manager import ExclusiveControlManager


class ScanPasses:
    """Scans from `start` to `stop`, except while a client has the adapter.

    Args:
        control: whose turns the passes are.
        spawn: runs a coroutine as a task, such as `Dispatcher.spawn`.
        scan: a context in which the radio scans; entering and leaving it may raise RadioError.
        on_failed: is called when a scan that ran cannot be continued; it has ended then.
        on: seconds of a pass at most.
        off: seconds between two passes.
    """

    def __init__(
        self,
        control: ExclusiveControlManager,
        spawn: Callable[[Coroutine[Any, Any, object]], asyncio.Task[object]],
        scan: Callable[[], AbstractAsyncContextManager[object]],
        on_failed: Callable[[RadioError], Any],
        *,
        on: float = math.inf,
        off: float = 0.0,
    ) -> None:
        self._control = control
        self._spawn = spawn
        self._scan = scan
        self._on_failed = on_failed
        self._on = on
        self._off = off
        self._task: asyncio.Task[object] | None = None

    async def start(self) -> None:
        """Scan until told otherwise; returns when the first pass has begun. Raises RadioError if it cannot."""
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = self._spawn(self._run(begun))
        try:
            await begun
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Scan no more; harmless if it does not."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, begun: asyncio.Future[None]) -> None:
        while True:
            async with self._control.scan_pass(math.inf) as turn:
                try:
                    async with self._scan():
                        if not begun.done():
                            begun.set_result(None)
                        await turn.wait_for_stop(self._on)
                except RadioError as error:
                    if begun.done():
                        self._on_failed(error)
                    else:
                        begun.set_exception(error)
                    return
            await asyncio.sleep(self._off)
