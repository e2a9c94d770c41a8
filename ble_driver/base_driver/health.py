"""Looks after the radio: is it silent, does it answer, and what is done if not (`ble_driver.recovery`)."""

from __future__ import annotations

import asyncio
import logging

from ..async_dispatcher import AsyncDispatcher
from ..dispatcher import Dispatcher, Timer
from ..errors import DispatcherBlockedError, NoAnswerError, RadioError
from ..heartbeat import Heartbeat
from ..recovery import LOOK_INTERVAL, Step
from ..status import RadioStatus
from ..tasks import within
from .control import ABANDON_TIME, COMMAND_TIME, RETRY_MAX
from .radio import L, Phase
from .sending import Sending

logger = logging.getLogger(__name__)


class Health(Sending[L]):
    """Asks the radio from time to time whether it answers, and takes the steps of `Recovery` if it does not."""

    def __init__(self, dispatcher: Dispatcher | None, connect_timeout: float) -> None:
        super().__init__(dispatcher, connect_timeout)
        self._look_timer: Timer | None = None
        self._why_not_reset = ""
        # Who shares a dispatcher does not look after it: it may be a test's, on virtual time.
        ours = self._dispatcher if self._owns_dispatcher and isinstance(self._dispatcher, AsyncDispatcher) else None
        self._heartbeat = Heartbeat(ours, self._tell_blocked) if ours is not None else None

    def _tell_blocked(self, error: DispatcherBlockedError) -> None:
        logger.error("%s: %s", type(self).__name__, error)
        self._emit(self.on_error, error)

    def get_status(self) -> RadioStatus:
        return {
            **super().get_status(),
            "radio_up": self._radio_up.is_set(),
            "error": self._last_error,
            "exclusive_control": self._exclusive.get_status(),
            "recovery": self._recovery.get_status(self._heartbeat.stalls if self._heartbeat is not None else 0),
        }

    def _begin_to_look(self) -> None:
        """Look from now on, until `_look_no_more`; the dispatcher must run."""
        if self._heartbeat is not None:
            self._heartbeat.start()
        self._look_timer = self._dispatcher.call_later(LOOK_INTERVAL, self._look)

    def _look_no_more(self) -> None:
        timer, self._look_timer = self._look_timer, None
        if timer is not None:
            timer.cancel()
        if self._heartbeat is not None:
            self._heartbeat.stop()

    def _look(self) -> None:
        if self._look_timer is None or self._phase is not Phase.STARTED:  # `stop` may be at it, on another thread
            return
        self._look_timer = self._dispatcher.call_later(LOOK_INTERVAL, self._look)
        if self._scanning:
            self._recovery.look()
        if self._exclusive.check_deadlock():
            self._recovery.deadlocks += 1
            self._exclusive.force_reset()
        self._check_is_due = self._radio_up.is_set()
        self._kick()

    async def _recover(self, error: NoAnswerError) -> None:
        if await self._answers_otherwise():
            self._report_error(error)
            await asyncio.sleep(RETRY_MAX)
            return
        step = self._recovery.next_step()
        if self._radio_up.is_set():
            self._forget_radio()
            await self._close_in_time()
        if step is Step.RESTART_DRIVER:
            self._report_error(RadioError(f"{error}; it is opened anew"))
        elif step is Step.POWER_CYCLE:
            self._report_error(RadioError(f"{error}, although it was opened anew; the adapter is reset"))
            await self._reset_adapter()
        else:
            self._report_error(RadioError(f"{error}, whatever was tried{self._why_not_reset}: {self._remedy}"))
            await asyncio.sleep(RETRY_MAX)

    async def _answers_otherwise(self) -> bool:
        """Whether it is only one command that took too long, on a busy system; twice in a row is once too often."""
        if not self._radio_up.is_set() or self._in_doubt:
            return False
        try:
            await self._check()
        except RadioError:
            return False
        self._in_doubt = True
        return True

    async def _reset_adapter(self) -> None:
        self._why_not_reset = ""
        try:
            await within(COMMAND_TIME, self._power_cycle(), ABANDON_TIME)
        except (RadioError, TimeoutError) as error:
            self._why_not_reset = f" (it was not reset: {error})"

    def _forget_radio(self) -> None:
        super()._forget_radio()
        for link in list(self._links.values()):
            self._report_link_lost(link)

    def _report_radio_lost(self, error: RadioError) -> None:
        """The radio is gone with all its links; it is brought up again until that succeeds."""
        self._forget_radio()
        self._report_error(error)
        if self._control_task is not None:  # it may be waiting for the radio that is gone
            self._control_task.cancel()
            self._control_task = None
        self._kick()
