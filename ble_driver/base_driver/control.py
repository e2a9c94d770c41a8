"""What the radio is wanted to do, and the task that makes it do so: being up, scanning, advertising."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ..checks import check_device_name
from ..dispatcher import Dispatcher
from ..errors import RadioError
from ..types import BLEDevice, DriverState
from .radio import L, Phase, Radio

#: Seconds between attempts to bring up a radio that failed: the first and the longest.
RETRY_FIRST, RETRY_MAX = 0.5, 5.0


class Control(Radio[L]):
    """Keeps what is wanted apart from what is so; `_control` makes them equal. All of it belongs to the dispatcher."""

    def __init__(self, dispatcher: Dispatcher | None) -> None:
        super().__init__(dispatcher)
        self._want_scanning = self._scanning = False
        self._want_advertising = self._advertising = False
        self._advertising_ended = False
        self._device_name: str | None = None
        self._control_task: asyncio.Task[object] | None = None

    # --- what a radio reports; to be called on the dispatcher ---------------------------------------------------------

    def _report_device(self, device: BLEDevice) -> None:
        if self._scanning:
            self._emit(self.on_device_discovered, device)

    def _report_advertising_ended(self) -> None:
        """The radio has stopped to advertise by itself; it begins again if that is still wanted."""
        # The flag is for an end that comes before `_set_advertising` has returned: a central may be that quick.
        self._advertising_ended, self._advertising = True, False
        self._kick()

    # --- what is wanted -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> DriverState:
        state = DriverState.IDLE
        if self._scanning:
            state |= DriverState.SCANNING
        if self._advertising:
            state |= DriverState.ADVERTISING
        return state

    def start_scanning(self) -> None:
        self._post_want(scanning=True)

    def stop_scanning(self) -> None:
        self._post_want(scanning=False)

    def start_advertising(self, device_name: str | None = None) -> None:
        self._post_want(advertising=True, name=check_device_name(device_name))

    def stop_advertising(self) -> None:
        self._post_want(advertising=False)

    def _post_want(
        self, scanning: bool | None = None, advertising: bool | None = None, name: str | None = None
    ) -> None:
        self._require_started()
        self._dispatcher.call_soon(self._want, scanning, advertising, name)

    def _want(self, scanning: bool | None, advertising: bool | None, name: str | None) -> None:
        if scanning is not None:
            self._want_scanning = scanning
        if advertising is not None:
            self._want_advertising, self._device_name = advertising, name
        self._kick()

    # --- making it so -------------------------------------------------------------------------------------------------

    def _kick(self) -> None:
        """Let `_control` look whether there is something to do."""
        if self._control_task is None and self._phase is Phase.STARTED:
            self._control_task = self._dispatcher.spawn(self._control())

    async def _control(self) -> None:
        """Bring the radio from what it does to what is wanted, step by step, for as long as it takes."""
        retry = RETRY_FIRST
        while (step := self._next_step()) is not None:
            try:
                await step
            except RadioError as error:
                self._report_error(error)
                await asyncio.sleep(retry)
                retry = min(2 * retry, RETRY_MAX)
            else:
                retry = RETRY_FIRST
                self._last_error = None
        self._control_task = None

    def _next_step(self) -> Coroutine[Any, Any, None] | None:
        if not self._radio_up.is_set():
            return self._bring_up()
        if self._scanning != self._want_scanning:
            return self._turn_scanning(self._want_scanning)
        if self._advertising != self._want_advertising:
            return self._turn_advertising(self._want_advertising)
        return None

    async def _bring_up(self) -> None:
        try:
            await self._open_radio()
        except BaseException:
            await self._close_radio()
            raise
        self._radio_up.set()

    async def _turn_scanning(self, on: bool) -> None:
        await self._set_scanning(on)
        self._scanning = on

    async def _turn_advertising(self, on: bool) -> None:
        self._advertising_ended = False
        await self._set_advertising(on)
        self._advertising = on and not self._advertising_ended
