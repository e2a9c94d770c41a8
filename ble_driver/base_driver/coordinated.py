"""Shares the adapter with other programs: it is used only while its lock permits (`ble_driver.adapter_lock`).

What is wanted stays wanted while the lock is another's, as it does while a radio is gone: the radio is closed, which
ends scanning, advertising and links, and opened again when the lock is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ..adapter_lock import AdapterLock
from ..dispatcher import Dispatcher
from .health import Health
from .linking import End
from .radio import L, Phase


class Coordinated(Health[L]):
    """Follows the adapter's lock, if there is one."""

    def __init__(self, dispatcher: Dispatcher | None, connect_timeout: float, adapter_lock: AdapterLock | None) -> None:
        super().__init__(dispatcher, connect_timeout)
        self._adapter_lock = adapter_lock
        self._keeping: asyncio.Task[object] | None = None

    def _begin_to_look(self) -> None:
        super()._begin_to_look()
        if self._adapter_lock is not None:
            keep = self._adapter_lock.keep(type(self).__name__, self._lock_changed, self._report_error)
            self._keeping = self._dispatcher.spawn(keep)

    def _next_step(self) -> Coroutine[Any, Any, None] | None:
        if self._adapter_lock is None or self._adapter_lock.permits:
            return super()._next_step()
        return self._leave_radio() if self._radio_up.is_set() else None

    def _lock_changed(self) -> None:
        """Do at once what the lock says now, whatever is under way."""
        under_way, self._control_task = self._control_task, None
        if under_way is not None:
            under_way.cancel()
        if self._phase is Phase.STARTED:
            self._control_task = self._dispatcher.spawn(self._control_after(under_way))

    async def _control_after(self, under_way: asyncio.Task[object] | None) -> None:
        if under_way is not None:  # it may have to close what it was about to open
            await asyncio.wait({under_way})
        await self._control()

    async def _leave_radio(self) -> None:
        for attempt in list(self._attempts.values()):
            self._end_attempt(attempt, End.CANCELLED)
        self._forget_radio()
        await self._close_in_time()

    def _keep_no_more(self) -> None:
        """Ask for the lock no more; what is held stays until `_give_up_lock`."""
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None

    async def _give_up_lock(self) -> None:
        """Release the lock; the radio must be closed."""
        if self._adapter_lock is not None:
            await self._adapter_lock.give_up()
