"""The front of exclusive control: what a scanner, a client and a supervisor call."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypedDict

from ..checks import check_seconds
from ..errors import BLEDriverError, DriverStateError
from ..tasks import current_task
from .announced import Announced
from .lock import OperationLock
from .progress import Clock, Progress
from .turns import Kind, Turn, Turns
from .waiting import EventsOfLoop, WaitEvents, Waiting

logger = logging.getLogger(__name__)


class ExclusiveControlTimeoutError(BLEDriverError, TimeoutError):
    """The adapter did not become free in time."""


class ExclusiveControlStatus(TypedDict):
    """What `ExclusiveControlManager.get_status` returns.

    Attributes:
        enabled: scanner and clients exclude each other.
        scanner_stopping: a client asked for the adapter, and the scanner has not yet reported that it is off.
        client_connecting: a client has the adapter or waits for it.
        scan_ready: a scan runs and has not been asked to stop.
        exclusive_control_duration: seconds since exclusive control last made progress; 0.0 when nobody asks for it.
    """

    enabled: bool
    scanner_stopping: bool
    client_connecting: bool
    scan_ready: bool
    exclusive_control_duration: float


class ExclusiveControlManager:
    """Lets scanner and clients of one adapter exclude each other. One per adapter; they know nothing of one another.

    It belongs to the event loop on which its users run and is not thread-safe; it may be built anywhere, and may
    outlive a loop. Every wait is bounded; where no timeout is given, by `client_completion_timeout`.

    Args:
        enabled: false lets everything pass through at once; see `set_enabled`.
        deadlock_threshold: seconds without progress after which `check_deadlock` speaks of one.
        client_completion_timeout: seconds that somebody waits for others to be done, unless the call says otherwise.
        clock: a monotonic time in seconds, for durations; by default that of the running loop.

    Raises:
        InvalidOptionError: a duration is not above 0.
    """

    def __init__(
        self,
        enabled: bool = True,
        deadlock_threshold: float = 90.0,
        client_completion_timeout: float = 60.0,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._deadlock_threshold = check_seconds("deadlock_threshold", deadlock_threshold)
        self._client_completion_timeout = check_seconds("client_completion_timeout", client_completion_timeout)
        self._progress = Progress(clock)
        self._events = EventsOfLoop()
        self._waiting = Waiting()
        self._turns = Turns(enabled, self._waiting, self._changed)
        self._announced = Announced(self._turns)
        self._lock = OperationLock(self._turns, self._wait_for_turn)

    # --- for a block of code ------------------------------------------------------------------------------------------

    def client_operation(self, timeout: float | None = None) -> AbstractAsyncContextManager[Turn]:
        """Have the adapter alone: ``async with manager.client_operation(): await client.connect()``.

        The scanner is asked to stop, and the block is entered once it is off and all earlier clients are done.

        Args:
            timeout: seconds to wait for the adapter at most (not for the block), by default
                `client_completion_timeout`; `math.inf` waits without bound.

        Raises (on entering):
            ExclusiveControlTimeoutError: the adapter was not free in time; the place in the queue is given up.
            DriverStateError: this task has the adapter already, and would wait for itself.
        """
        return self._take_turn(Kind.CLIENT, timeout)

    def scan_pass(self, timeout: float | None = None) -> AbstractAsyncContextManager[Turn]:
        """Scan until a client needs the adapter.

        ``async with manager.scan_pass() as turn:`` start the scanner, ``await turn.wait_for_stop()``, stop it. Take
        the next pass at once: it is granted when the clients that were waiting by then are done.

        Args:
            timeout: seconds to wait for the clients at most, by default `client_completion_timeout`; `math.inf` waits
                without bound.

        Raises (on entering):
            ExclusiveControlTimeoutError: the clients were not done in time; the place in the queue is given up.
            DriverStateError: this task has the adapter already, and would wait for itself.
        """
        return self._take_turn(Kind.SCAN, timeout)

    @asynccontextmanager
    async def _take_turn(self, kind: Kind, timeout: float | None) -> AsyncIterator[Turn]:
        self._turns.refuse_nesting(kind)
        turn = self._turns.enqueue(kind, scoped=True)
        try:
            await self._wait_for_turn(turn, timeout)
            yield turn
        finally:
            self._turns.finish(turn)  # takes no await: nothing can come between the end of the block and this

    def get_operation_lock(self) -> OperationLock:
        """Return the lock that keeps other clients out while the scanner goes on: ``async with`` it."""
        return self._lock

    async def _wait_for_turn(self, turn: Turn, timeout: float | None) -> None:
        if not await self._wait_until(lambda: turn.granted, timeout):
            raise ExclusiveControlTimeoutError(
                f"the adapter did not become free for a {turn.kind.value} turn; it is used by {self._turns.active!r}"
            )
        turn.entered = True

    # --- for operations that begin and end in different places --------------------------------------------------------

    def request_scanner_stop(self) -> Turn:
        """Begin a client's operation: ask the scanner to stop, and take a place among the clients.

        Connect only after `wait_for_scan_completed` was true, and call `notify_client_completed` however it ends.
        Within one task, or outside of all tasks, a second call before the completion is the same operation.

        Returns:
            The operation, to be handed to the other two calls where they are made from another task.
        """
        task = current_task()
        for turn in self._turns:
            if turn.kind is Kind.CLIENT and turn.owner is task:
                return turn  # asked before, or inside a client_operation, which has asked
        return self._announced.begin(Kind.CLIENT)

    def notify_client_completed(self, turn: Turn | None = None) -> None:
        """End the operation that `request_scanner_stop` began, whether it has got the adapter yet or not.

        Harmless for an operation that has ended or was revoked: its successor is not disturbed.

        Args:
            turn: the operation, by default that of the current task, or else the only one there is. If there are
                several and none is this task's, nobody can tell which is meant: that is logged and ignored.
        """
        self._announced.complete(Kind.CLIENT, turn)

    def notify_scan_ready(self) -> Turn | None:
        """Announce that the scanner runs from now on; to be called just before it is started.

        Calls while one is announced mean the same scan.

        Returns:
            The scan, to be handed to `notify_scan_completed` if that is called from another task; None, and nothing
            changes, if a client has the adapter or waits for it: then the scanner must not run.
        """
        self._turns.scanner_known = True
        for turn in self._announced.of(Kind.SCAN):
            if not turn.revoked:
                return turn
        return None if self.is_client_connecting() else self._announced.begin(Kind.SCAN)

    def notify_scan_completed(self, turn: Turn | None = None) -> None:
        """Report that the scanner of `notify_scan_ready` is off; harmless if it was off.

        Args:
            turn: the scan; see `notify_client_completed`.
        """
        self._turns.scanner_known = True
        self._announced.complete(Kind.SCAN, turn)

    # --- for those who wait -------------------------------------------------------------------------------------------

    async def wait_for_scan_completed(self, timeout: float | None = None, turn: Turn | None = None) -> bool:
        """Wait until the scanner is off and, after `request_scanner_stop`, the adapter is this client's.

        Args:
            timeout: seconds, by default `client_completion_timeout`.
            turn: the operation, by default that of the current task, or else the only one there is.

        Returns:
            Whether that is so now; false after the timeout, and at once if the operation was revoked. As long as no
            scan was ever announced, only `notify_scan_completed` tells that the scanner is off.

        Raises:
            DriverStateError: several operations have begun, none by this task, and `turn` does not say which.
        """
        task, turns = current_task(), self._turns
        if turn is None and any(t.scoped and t.kind is Kind.CLIENT and t.owner is task for t in turns.active):
            return True
        turn = turn or self._announced.meant(Kind.CLIENT)
        if turn is None and self._announced.of(Kind.CLIENT):
            raise DriverStateError("several clients have asked for the adapter: hand over the turn that is meant")

        def reached() -> bool:
            if not turns.enabled:
                return True
            return turns.scanner_off if turn is None else turn.revoked or (turn.granted and turns.scanner_off)

        return await self._wait_until(reached, timeout) and not (turn is not None and turn.revoked)

    async def wait_for_client_completed(self, timeout: float | None = None) -> bool:
        """Wait until no client has the adapter or waits for it, for `timeout` seconds or `client_completion_timeout`.

        Returns:
            Whether that is so now: if true, `notify_scan_ready` will be granted as long as nothing is awaited before
            it. The end of one client does not count when the next one follows at once.
        """
        return await self._wait_until(lambda: not self.is_client_connecting(), timeout)

    async def wait_for_scan_ready(self, timeout: float | None = None) -> bool:
        """Wait until a scan runs, for `timeout` seconds or `client_completion_timeout`.

        Returns:
            Whether one runs, or began while this waited: a scan that a client cut short at once is not missed.
        """
        turns, seen = self._turns, self._turns.scans_started
        return await self._wait_until(
            lambda: not turns.enabled or turns.scan_ready or turns.scans_started > seen, timeout
        )

    def get_wait_events(self) -> WaitEvents:
        """Return the events behind the ``wait_for_…`` calls, for the running loop; ask again on another loop.

        An event tells what is so at the moment; whoever wakes must look again, as the next client may have begun.
        """
        return self._events.get(self._levels)

    async def _wait_until(self, reached: Callable[[], bool], timeout: float | None) -> bool:
        return await self._waiting.until(reached, self._client_completion_timeout if timeout is None else timeout)

    # --- for supervisors ----------------------------------------------------------------------------------------------

    def is_enabled(self) -> bool:
        """Whether scanner and clients exclude each other."""
        return self._turns.enabled

    def set_enabled(self, enabled: bool) -> None:
        """Switch the exclusion on or off.

        Off, everybody who waits goes ahead at once. On again, those who are under way then may still overlap; whoever
        comes later waits for them.
        """
        self._turns.enabled = enabled
        self._turns.settle()

    def is_client_connecting(self) -> bool:
        """Whether a client has the adapter or waits for it; a scanner must not start."""
        return self._turns.enabled and any(turn.kind is Kind.CLIENT for turn in self._turns)

    def is_scanner_stopping(self) -> bool:
        """Whether the scanner has been asked to stop and has not yet reported that it is off.

        That stays so when the client that asked gives up, so that a scanner that hangs does not go unnoticed.
        """
        turns = self._turns
        return turns.enabled and (turns.scan_asked_to_stop or (turns.client_is_next and not turns.scanner_off))

    def check_deadlock(self) -> bool:
        """Whether exclusive control has made no progress for longer than `deadlock_threshold`.

        That is a client that does not complete, or a scan that does not stop when asked. It changes nothing: whoever
        supervises the adapter asks from time to time and calls `force_reset`.
        """
        return self._progress.duration > self._deadlock_threshold

    def get_status(self) -> ExclusiveControlStatus:
        """Return what is so now, for people and supervisors."""
        return {
            "enabled": self._turns.enabled,
            "scanner_stopping": self.is_scanner_stopping(),
            "client_connecting": self.is_client_connecting(),
            "scan_ready": self._turns.scan_ready,
            "exclusive_control_duration": self._progress.duration,
        }

    def force_reset(self) -> None:
        """Take the adapter away from everybody who has it, and give it to those who wait in a block.

        Those it is taken from learn it by `Turn.revoked` and `Turn.wait_for_stop`; when they complete after all, that
        changes nothing. Operations of `request_scanner_stop` are ended even while they wait, because nobody can tell
        whether anybody still stands behind them.
        """
        duration = self._progress.duration
        self._progress.forget()
        taken = self._turns.revoke()
        if taken:
            logger.warning("the adapter was taken away after %.1f s without progress: %r", duration, taken)

    def _changed(self, somebody_got_on: bool) -> None:
        if not self._turns.exclusive:
            self._progress.forget()
        elif somebody_got_on:
            self._progress.made()
        else:
            self._progress.watch()
        self._events.update(self._levels)

    @property
    def _levels(self) -> tuple[bool, bool, bool]:
        """What `WaitEvents` show, in their order."""
        return (
            self._turns.scan_ready,
            not self._turns.enabled or self._turns.scanner_off,
            not self.is_client_connecting(),
        )
