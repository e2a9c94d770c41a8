"""What the radio is wanted to do, and the task that makes it do so: being up, scanning, advertising."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any

from ..checks import check_device_name, check_seconds
from ..dispatcher import Dispatcher
from ..errors import NoAnswerError, RadioError
from ..tasks import within
from ..types import BLEDevice, DriverState
from .radio import L, Phase, Radio

logger = logging.getLogger(__name__)

#: Seconds between attempts to bring up a radio that failed: the first and the longest.
RETRY_FIRST, RETRY_MAX = 0.5, 5.0
#: Seconds that the radio gets to be opened: BlueZ ends the links that a killed process has left first, up to 3 s each.
OPEN_TIME = 20.0
#: Seconds that the radio gets to be closed; `stop` has 5 in all.
CLOSE_TIME = 3.5
#: Seconds that the radio gets for a command, and to answer when it is merely asked: bluetoothd takes 3 to end a link.
COMMAND_TIME, CHECK_TIME = 15.0, 10.0
#: Seconds that a command gets to clean up after its time was up.
ABANDON_TIME = 0.5


class Control(Radio[L]):
    """Keeps what is wanted apart from what is so; `_control` makes them equal. All of it belongs to the dispatcher."""

    def __init__(self, dispatcher: Dispatcher | None, connect_timeout: float) -> None:
        super().__init__(dispatcher)
        self._connect_timeout = check_seconds("connect_timeout", connect_timeout)
        self._want_scanning = self._scanning = False
        self._want_advertising = self._advertising = False
        self._advertising_ended = False
        self._advertised_name: str | None = None
        self._device_name: str | None = None
        self._check_is_due = False
        self._in_doubt = False  # the last command had no answer
        self._opened = object()  # another one for each radio that was opened
        self._control_task: asyncio.Task[object] | None = None

    # --- what a radio reports; to be called on the dispatcher ---------------------------------------------------------

    def _report_device(self, device: BLEDevice) -> None:
        if self._scanning:
            self._recovery.heard()
            self._emit(self.on_device_discovered, device)

    def _report_advertising_ended(self) -> None:
        """The radio has stopped to advertise by itself; it begins again if that is still wanted."""
        # The flag is for an end that comes before `_set_advertising` has returned: a central may be that quick.
        self._advertising_ended, self._advertising = True, False
        self._kick()

    def _report_scan_failed(self, error: RadioError) -> None:
        """A scan that ran has ended by itself; it begins again if that is still wanted."""
        self._report_error(error)
        self._scanning = False
        self._check_is_due |= isinstance(error, NoAnswerError)
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
                if await self._take(step):
                    retry = RETRY_FIRST
            except RadioError as error:
                self._report_error(error)
                await asyncio.sleep(retry)
                retry = min(2 * retry, RETRY_MAX)
            except Exception as error:  # a fault of the driver must not be the end of it
                logger.exception("%s: the radio could not be controlled", type(self).__name__)
                self._report_error(RadioError(f"the driver has failed: {error!r}"))
                await asyncio.sleep(RETRY_MAX)
        self._control_task = None

    async def _take(self, step: Coroutine[Any, Any, None]) -> bool:
        """Take a step, and do something about a radio that does not answer to it; return whether it succeeded."""
        try:
            await step
        except NoAnswerError as error:
            await self._recover(error)
            return False
        self._last_error, self._in_doubt = None, False
        return True

    def _next_step(self) -> Coroutine[Any, Any, None] | None:
        if not self._radio_up.is_set():
            return self._bring_up()
        if self._scanning != self._want_scanning:
            return self._turn_scanning(self._want_scanning)
        renamed = self._advertising and self._advertised_name != self._device_name
        if self._advertising != self._want_advertising or renamed:
            return self._turn_advertising(self._want_advertising)
        if self._recovery.scan_is_stale and self._scanning:
            return self._restart_scan()
        if self._check_is_due:
            return self._check()
        return None

    async def _bring_up(self) -> None:
        self._exclusive.force_reset()  # who had a turn on a radio that is gone must not keep others from this one
        try:
            await self._answered(self._open_radio(), OPEN_TIME, "open")
        except BaseException:
            await self._close_in_time()
            raise
        self._opened = object()
        self._radio_up.set()

    def _forget_radio(self) -> None:
        """Nothing that was so on the radio is so any more: it is gone, or about to be closed."""
        self._opened = object()
        self._radio_up.clear()
        self._scanning = self._advertising = self._check_is_due = False

    async def _close_in_time(self) -> None:
        """Free the radio; what it does not come to in time is left behind, as a radio that hangs must not hold us."""
        try:
            await within(CLOSE_TIME, self._close_radio(), ABANDON_TIME)
        except TimeoutError:
            logger.error("%s: the radio was not closed within %g s", type(self).__name__, CLOSE_TIME)
        except Exception:
            logger.exception("%s: closing the radio raised", type(self).__name__)

    async def _turn_scanning(self, on: bool) -> None:
        opened = self._opened

        async def turn() -> None:
            await self._set_scanning(on)
            if opened is self._opened:  # and not left behind on a radio that is gone
                self._scanning = on

        await self._answered(turn(), self._command_time, f"{'start' if on else 'stop'} to scan")
        self._recovery.heard()

    async def _restart_scan(self) -> None:
        self._recovery.scan_restarted()
        await self._turn_scanning(False)
        await self._turn_scanning(True)

    async def _turn_advertising(self, on: bool) -> None:
        opened, name, self._advertising_ended = self._opened, self._device_name, False

        async def turn() -> None:
            await self._set_advertising(on)
            if opened is self._opened:
                self._advertised_name = name
                self._advertising = on and not self._advertising_ended

        await self._answered(turn(), self._command_time, f"{'start' if on else 'stop'} to advertise")

    async def _check(self) -> None:
        self._check_is_due, self._in_doubt = False, True
        await self._answered(self._check_radio(), CHECK_TIME, "answer")

    async def _answered(self, command: Coroutine[Any, Any, None], seconds: float, what: str) -> None:
        try:
            await within(seconds, command, ABANDON_TIME)
        except TimeoutError as error:
            raise NoAnswerError(f"the radio did not {what} within {seconds:g} s") from error

    @property
    def _command_time(self) -> float:
        # A scan has to wait for the client that has the adapter, and that for its peer.
        return COMMAND_TIME + self._connect_timeout

    @abstractmethod
    async def _recover(self, error: NoAnswerError) -> None:
        """Do something about a radio that does not answer."""
