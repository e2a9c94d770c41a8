"""Scanner and clients on one adapter: who may use the radio now, who waits, and who has been given up.

Many controllers cannot scan and connect at once (PROTOCOL.md, BlueZ facts). So whoever wants the radio takes a turn,
in the order of asking:

- a *client* (connecting, pairing, whatever needs the radio to itself) has its turn alone;
- *scans* share theirs among each other, and are asked to stop as soon as a client is next;
- the *operation lock* keeps other clients out and lets the scanner be: it brackets what consists of several steps.

A turn waits only for conflicting turns that were asked for earlier, so nobody is overtaken for ever: a scan that waits
gets the radio between two clients, however many of them come.

The turns are taken by ``async with manager.client_operation()`` and ``async with manager.scan_pass()``, which give
them back whatever happens. The ``request_…`` and ``notify_…`` calls are the same turns for code that cannot put its
operation into one block, because it begins in one callback and ends in another.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from typing import Any, NamedTuple, TypedDict

from .checks import check_seconds
from .errors import BLEDriverError, DriverStateError

logger = logging.getLogger(__name__)

Clock = Callable[[], float]
Task = asyncio.Task[Any]


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


class WaitEvents(NamedTuple):
    """What can be waited for, as events to look at or wait for, not to set.

    Attributes:
        scan_ready: set while a scan runs that has not been asked to stop.
        scan_completed: set while the scanner is known to be off.
        client_completed: set while no client has the adapter or waits for it.
    """

    scan_ready: asyncio.Event
    scan_completed: asyncio.Event
    client_completed: asyncio.Event


class _Kind(Enum):
    CLIENT = "client"
    SCAN = "scan"
    LOCK = "operation lock"


#: What a task may begin within what. A lock within a scan is not among them: its holder may be waiting for that scan.
_NESTING = {(_Kind.LOCK, _Kind.CLIENT), (_Kind.LOCK, _Kind.SCAN), (_Kind.CLIENT, _Kind.LOCK)}


class Turn:
    """One use of the adapter, from the asking to the end.

    Attributes:
        granted: it has the adapter now.
        revoked: `ExclusiveControlManager.force_reset` took the adapter away; what it still does is its own affair.
        stop_requested: somebody else is to have the adapter: for a scan when a client is next, for all when revoked.
    """

    __slots__ = ("_entered", "_kind", "_manager", "_owner", "_scoped", "granted", "revoked", "stop_requested")

    def __init__(self, manager: ExclusiveControlManager, kind: _Kind, owner: Task | None, scoped: bool) -> None:
        self._manager = manager
        self._kind = kind
        self._owner = owner  # None: asked for outside of any task
        self._scoped = scoped  # ended by a block, not by a notify_… call
        self._entered = False  # the block has begun
        self.granted = False
        self.revoked = False
        self.stop_requested = False

    def __repr__(self) -> str:
        state = "revoked" if self.revoked else "active" if self.granted else "not active"
        return f"<{self._kind.value} turn, {state}>"

    async def wait_for_stop(self, timeout: float = math.inf) -> bool:
        """Sleep `timeout` seconds, or less if the turn is to end; return whether it is.

        A scanner spends its pass in here. No `asyncio.wait_for` is needed, which before Python 3.12 may swallow a
        cancellation.
        """
        return await self._manager._wait_until(lambda: self.stop_requested, timeout)

    def _waits_for(self, other: Turn) -> bool:
        kinds = {self._kind, other._kind}
        if _Kind.SCAN in kinds:
            return _Kind.CLIENT in kinds
        # Clients and locks exclude each other, but not within one task: there the lock brackets the operation. Nor
        # does who has the one already wait for another's to get both: two who came in while the exclusion was off,
        # each with one of its own, would wait for each other.
        return len(kinds) == 1 or not (self._nested or self._encloses(other) or other._encloses(self))

    @property
    def _nested(self) -> bool:
        """Whether it is part of another turn that its task has now."""
        return any(other._encloses(self) for other in self._manager._active)

    def _encloses(self, other: Turn) -> bool:
        """Whether `other` would be part of this one, being of the same task."""
        return self._owner is not None and self._owner is other._owner and (self._kind, other._kind) in _NESTING

    def _abandoned_for(self, successor: Turn) -> bool:
        """Whether no late completion of this revoked turn can come, or be told from that of its task's next one."""
        if not self.revoked:
            return False
        return self._owner is None or self._owner is successor._owner or self._owner.done()


class OperationLock:
    """Keeps other clients away from the adapter, while the scanner goes on; for one task at a time, in order.

    Within it the task that holds it may run `client_operation` or the ``request_…`` and ``notify_…`` calls, and stop
    the scanner itself. `force_reset` takes it away as well; releasing it afterwards disturbs nobody.
    """

    def __init__(self, manager: ExclusiveControlManager) -> None:
        self._manager = manager
        self._turns: list[Turn] = []

    def locked(self) -> bool:
        """Whether a client operates now, with this lock or without."""
        return any(turn._kind is not _Kind.SCAN for turn in self._manager._active)

    async def acquire(self, timeout: float | None = None) -> bool:
        """Wait for the lock; always true, as with `asyncio.Lock`.

        Args:
            timeout: seconds to wait at most, by default the manager's `client_completion_timeout`.

        Raises:
            ExclusiveControlTimeoutError: it was not free in time.
            DriverStateError: this task holds it already, and would wait for itself.
        """
        self._manager._refuse_nesting(_Kind.LOCK)
        turn = self._manager._enqueue(_Kind.LOCK, scoped=True)
        self._turns.append(turn)
        try:
            await self._manager._wait_for_turn(turn, timeout)
        except BaseException:
            self._end(turn)
            raise
        return True

    def release(self) -> None:
        """Give the lock back.

        Raises:
            DriverStateError: this task does not hold it. A wrapper such as `asyncio.wait_for` may acquire it in a
                task of its own; once that task has ended, any other may release.
        """
        task = _current_task()
        held = [t for t in self._turns if t._owner is task] or [t for t in self._turns if t._owner and t._owner.done()]
        if not held:
            raise DriverStateError("the operation lock is not held by this task: release it where it was acquired")
        self._end(held[-1])

    def _end(self, turn: Turn) -> None:
        self._turns.remove(turn)
        self._manager._finish(turn)

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.release()


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
        self._enabled = enabled
        self._deadlock_threshold = check_seconds("deadlock_threshold", deadlock_threshold)
        self._client_completion_timeout = check_seconds("client_completion_timeout", client_completion_timeout)
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None  # the last one seen, for its time
        self._active: list[Turn] = []
        self._queue: list[Turn] = []  # in the order of asking
        self._unscoped: list[Turn] = []  # what request_scanner_stop and notify_scan_ready began and nobody completed
        # Nothing scans until a scanner has said so, but whoever asks a scanner to stop knows of one: until the first
        # sign of it, only its answer tells that it is off.
        self._scanner_known = False
        self._scans_started = 0
        self._since: float | None = None  # when exclusive control last made progress
        self._waiters: set[asyncio.Future[None]] = set()
        self._lock = OperationLock(self)
        self._events: WaitEvents | None = None
        self._events_loop: asyncio.AbstractEventLoop | None = None

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
        return self._take_turn(_Kind.CLIENT, timeout)

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
        return self._take_turn(_Kind.SCAN, timeout)

    @asynccontextmanager
    async def _take_turn(self, kind: _Kind, timeout: float | None) -> AsyncIterator[Turn]:
        self._refuse_nesting(kind)
        turn = self._enqueue(kind, scoped=True)
        try:
            await self._wait_for_turn(turn, timeout)
            yield turn
        finally:
            self._finish(turn)  # takes no await: nothing can come between the end of the block and this

    def get_operation_lock(self) -> OperationLock:
        """Return the lock that keeps other clients out while the scanner goes on: ``async with`` it."""
        return self._lock

    # --- for operations that begin and end in different places --------------------------------------------------------

    def request_scanner_stop(self) -> Turn:
        """Begin a client's operation: ask the scanner to stop, and take a place among the clients.

        Connect only after `wait_for_scan_completed` was true, and call `notify_client_completed` however it ends.
        Within one task, or outside of all tasks, a second call before the completion is the same operation.

        Returns:
            The operation, to be handed to the other two calls where they are made from another task.
        """
        task = _current_task()
        for turn in (*self._active, *self._queue):
            if turn._kind is _Kind.CLIENT and turn._owner is task:
                return turn  # asked before, or inside a client_operation, which has asked
        return self._enqueue(_Kind.CLIENT, scoped=False)

    def notify_client_completed(self, turn: Turn | None = None) -> None:
        """End the operation that `request_scanner_stop` began, whether it has got the adapter yet or not.

        Harmless for an operation that has ended or was revoked: its successor is not disturbed.

        Args:
            turn: the operation, by default that of the current task, or else the only one there is. If there are
                several and none is this task's, nobody can tell which is meant: that is logged and ignored.
        """
        self._complete(_Kind.CLIENT, turn)

    def notify_scan_ready(self) -> Turn | None:
        """Announce that the scanner runs from now on; to be called just before it is started.

        Calls while one is announced mean the same scan.

        Returns:
            The scan, to be handed to `notify_scan_completed` if that is called from another task; None, and nothing
            changes, if a client has the adapter or waits for it: then the scanner must not run.
        """
        self._scanner_known = True
        for turn in self._unscoped:
            if turn._kind is _Kind.SCAN and not turn.revoked:
                return turn
        if self.is_client_connecting():
            return None
        return self._enqueue(_Kind.SCAN, scoped=False)

    def notify_scan_completed(self, turn: Turn | None = None) -> None:
        """Report that the scanner of `notify_scan_ready` is off; harmless if it was off.

        Args:
            turn: the scan; see `notify_client_completed`.
        """
        self._scanner_known = True
        self._complete(_Kind.SCAN, turn)

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
        task = _current_task()
        if turn is None and any(t._scoped and t._kind is _Kind.CLIENT and t._owner is task for t in self._active):
            return True
        turn = turn or self._unscoped_turn(_Kind.CLIENT)
        if turn is None and any(t._kind is _Kind.CLIENT for t in self._unscoped):
            raise DriverStateError("several clients have asked for the adapter: hand over the turn that is meant")

        def reached() -> bool:
            if not self._enabled:
                return True
            return self._scanner_off if turn is None else turn.revoked or (turn.granted and self._scanner_off)

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
        seen = self._scans_started
        return await self._wait_until(
            lambda: not self._enabled or self._scan_ready or self._scans_started > seen, timeout
        )

    def get_wait_events(self) -> WaitEvents:
        """Return the events behind the ``wait_for_…`` calls, for the running loop; ask again on another loop.

        An event tells what is so at the moment; whoever wakes must look again, as the next client may have begun.
        """
        loop = _running_loop()
        if self._events is None or (loop is not None and self._events_loop not in (None, loop)):
            self._events = WaitEvents(asyncio.Event(), asyncio.Event(), asyncio.Event())
            self._events_loop = None
        self._events_loop = self._events_loop or loop
        self._update_events()
        return self._events

    # --- what is so ---------------------------------------------------------------------------------------------------

    def is_enabled(self) -> bool:
        """Whether scanner and clients exclude each other."""
        return self._enabled

    def set_enabled(self, enabled: bool) -> None:
        """Switch the exclusion on or off.

        Off, everybody who waits goes ahead at once. On again, those who are under way then may still overlap; whoever
        comes later waits for them.
        """
        self._enabled = enabled
        self._settle()

    def is_client_connecting(self) -> bool:
        """Whether a client has the adapter or waits for it; a scanner must not start."""
        return self._enabled and any(turn._kind is _Kind.CLIENT for turn in (*self._active, *self._queue))

    def is_scanner_stopping(self) -> bool:
        """Whether the scanner has been asked to stop and has not yet reported that it is off.

        That stays so when the client that asked gives up, so that a scanner that hangs does not go unnoticed.
        """
        return self._enabled and (self._asked_to_stop or (self._client_is_next and not self._scanner_off))

    def check_deadlock(self) -> bool:
        """Whether exclusive control has made no progress for longer than `deadlock_threshold`.

        That is a client that does not complete, or a scan that does not stop when asked. It changes nothing: whoever
        supervises the adapter asks from time to time and calls `force_reset`.
        """
        return self._duration > self._deadlock_threshold

    def get_status(self) -> ExclusiveControlStatus:
        """Return what is so now, for people and supervisors."""
        return {
            "enabled": self._enabled,
            "scanner_stopping": self.is_scanner_stopping(),
            "client_connecting": self.is_client_connecting(),
            "scan_ready": self._scan_ready,
            "exclusive_control_duration": self._duration,
        }

    def force_reset(self) -> None:
        """Take the adapter away from everybody who has it, and give it to those who wait in a block.

        Those it is taken from learn it by `Turn.revoked` and `Turn.wait_for_stop`; when they complete after all, that
        changes nothing. Operations of `request_scanner_stop` are ended even while they wait, because nobody can tell
        whether anybody still stands behind them.
        """
        # Whoever was granted the adapter this very moment, and has not woken yet, has not used it: they go on waiting.
        unused = [turn for turn in self._active if turn._scoped and not turn._entered]
        taken = [turn for turn in self._active if turn not in unused]
        taken += [turn for turn in self._queue if not turn._scoped]
        if taken:
            logger.warning("the adapter is taken away after %.1f s without progress: %r", self._duration, taken)
        for turn in taken:
            turn.granted, turn.revoked, turn.stop_requested = False, True, True
        for turn in unused:
            turn.granted = turn.stop_requested = False
        self._active.clear()
        self._queue = unused + [turn for turn in self._queue if turn._scoped]
        self._since = None
        self._settle()

    @property
    def _scanning(self) -> bool:
        return any(turn._kind is _Kind.SCAN for turn in self._active)

    @property
    def _scanner_off(self) -> bool:
        return self._scanner_known and not self._scanning

    @property
    def _scan_ready(self) -> bool:
        return any(turn._kind is _Kind.SCAN and not turn.stop_requested for turn in self._active)

    @property
    def _asked_to_stop(self) -> bool:
        return any(turn._kind is _Kind.SCAN and turn.stop_requested for turn in self._active)

    @property
    def _client_is_next(self) -> bool:
        """Whether a client has the adapter, or waits for nothing but the scanner."""
        if not self._enabled:
            return False
        held = [turn for turn in self._active if turn._kind is not _Kind.SCAN]
        return any(turn._kind is _Kind.CLIENT for turn in held) or any(
            turn._kind is _Kind.CLIENT and not any(map(turn._waits_for, held)) for turn in self._queue
        )

    @property
    def _duration(self) -> float:
        # Never below zero: the first call may have been made before any loop ran, on another clock.
        return 0.0 if self._since is None else max(0.0, self._now() - self._since)

    def _now(self) -> float:
        if self._clock is not None:
            return self._clock()
        self._loop = _running_loop() or self._loop
        return time.monotonic() if self._loop is None else self._loop.time()

    # --- the turns ----------------------------------------------------------------------------------------------------

    def _refuse_nesting(self, kind: _Kind) -> None:
        """Raise DriverStateError if the current task has or awaits a turn that the new one would wait for."""
        task = _current_task()
        for turn in (*self._active, *self._queue):
            if turn._kind is _Kind.SCAN and not turn._scoped:
                continue  # another task may well stop the scanner that this one announced
            if self._enabled and turn._owner is task and (turn._kind, kind) not in _NESTING:
                raise DriverStateError(
                    f"this task has a {turn._kind.value} turn and would wait for itself: end it first"
                )

    def _enqueue(self, kind: _Kind, scoped: bool) -> Turn:
        """Queue a turn: last, or where its task already stands.

        The task that holds the lock must not queue behind those who wait for its lock, nor the other way round.
        """
        turn = Turn(self, kind, _current_task(), scoped)
        if not scoped:
            self._unscoped = [other for other in self._unscoped if not other._abandoned_for(turn)]
            self._unscoped.append(turn)
        place = 0
        if not turn._nested:
            place = next((n for n, other in enumerate(self._queue) if other._encloses(turn)), len(self._queue))
        self._queue.insert(place, turn)
        self._settle()
        return turn

    def _finish(self, turn: Turn) -> None:
        """Take a turn out, whether it is active, waits, or is gone already."""
        turn.granted = False
        self._active = [other for other in self._active if other is not turn]
        self._queue = [other for other in self._queue if other is not turn]
        self._settle()

    def _settle(self) -> None:
        """Grant what can be granted, and tell everybody who waits for something that things have changed.

        Turns are granted here and nowhere else, at the moment they become free: between a grant and the waking of
        who waits for it nobody can come in, and no grant depends on the order of waking.
        """
        waiting: list[Turn] = []
        progress = False
        for turn in self._queue:
            if self._enabled and any(turn._waits_for(other) for other in (*self._active, *waiting)):
                waiting.append(turn)
                continue
            progress |= turn._kind is not _Kind.SCAN or not self._asked_to_stop  # a scan beside one that hangs is none
            self._active.append(turn)
            turn.granted = True
            if turn._kind is _Kind.SCAN:
                self._scanner_known = True
                self._scans_started += 1
        self._queue = waiting
        if self._client_is_next:
            for turn in self._active:
                turn.stop_requested |= turn._kind is _Kind.SCAN
        # A scan that was asked to stop counts even when nobody waits for it any more: clients that give up one after
        # the other would otherwise each begin the count anew, and hide that it hangs.
        exclusive = self._asked_to_stop or any(t._kind is not _Kind.SCAN for t in (*self._active, *waiting))
        if not (self._enabled and exclusive):
            self._since = None
        elif progress or self._since is None:
            self._since = self._now()
        self._update_events()
        for waiter in self._waiters:
            if not waiter.done() and not waiter.get_loop().is_closed():
                waiter.set_result(None)
        self._waiters.clear()

    def _update_events(self) -> None:
        if self._events_loop is not None and self._events_loop.is_closed():
            self._events = self._events_loop = None  # whoever waited for them is gone
        if self._events is not None:
            levels = (self._scan_ready, not self._enabled or self._scanner_off, not self.is_client_connecting())
            for event, level in zip(self._events, levels, strict=True):
                if level:
                    event.set()
                else:
                    event.clear()

    def _unscoped_turn(self, kind: _Kind) -> Turn | None:
        """Return what a ``notify_…`` call without a turn means, if that can be told."""
        task = _current_task()
        outstanding = [turn for turn in self._unscoped if turn._kind is kind]
        own = [turn for turn in outstanding if turn._owner is task]
        if own:
            return own[-1]
        return outstanding[0] if len(outstanding) == 1 else None

    def _complete(self, kind: _Kind, turn: Turn | None) -> None:
        meant = turn or self._unscoped_turn(kind)
        if meant is not None:
            # If it was revoked, or has been completed, this takes nothing from anybody.
            self._unscoped = [other for other in self._unscoped if other is not meant]
            if not meant._scoped:
                self._finish(meant)
            return
        if any(other._kind is kind for other in self._unscoped):
            logger.warning("a completion fits several %s turns and is ignored: hand over the one meant", kind.value)
        self._settle()

    async def _wait_for_turn(self, turn: Turn, timeout: float | None) -> None:
        if not await self._wait_until(lambda: turn.granted, timeout):
            raise ExclusiveControlTimeoutError(
                f"the adapter did not become free for a {turn._kind.value} turn; it is used by {self._active!r}"
            )
        turn._entered = True

    async def _wait_until(self, reached: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until `reached()`, looked at after each change; return whether it is, at the moment of returning."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._client_completion_timeout if timeout is None else timeout)
        while not reached():
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.add(waiter)
            remaining = max(0.0, deadline - loop.time())
            try:
                done, _ = await asyncio.wait({waiter}, timeout=None if math.isinf(remaining) else remaining)
            finally:
                self._waiters.discard(waiter)
            if not done:
                return False
        return True


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _current_task() -> Task | None:
    return None if _running_loop() is None else asyncio.current_task()
