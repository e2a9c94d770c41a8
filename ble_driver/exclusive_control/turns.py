"""The turns and their order: who has the adapter, who waits, for whom, and who would wait for itself."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from ..errors import DriverStateError
from ..tasks import current_task
from .waiting import Waiting


class Kind(Enum):
    """What the adapter is wanted for."""

    CLIENT = "client"
    SCAN = "scan"
    LOCK = "operation lock"


#: What a task may begin within what. A lock within a scan is not among them: its holder may be waiting for that scan.
_NESTING = {(Kind.LOCK, Kind.CLIENT), (Kind.LOCK, Kind.SCAN), (Kind.CLIENT, Kind.LOCK)}


class Turn:
    """One use of the adapter, from the asking to the end.

    Attributes:
        granted: it has the adapter now.
        revoked: `ExclusiveControlManager.force_reset` took the adapter away; what it still does is its own affair.
        stop_requested: somebody else is to have the adapter: for a scan when a client is next, for all when revoked.
        kind, owner, scoped, entered, waiting: for `Turns`: what it is for, whose task asked for it, whether a block
            ends it or a ``notify_…`` call, whether that block has begun, and where it sleeps.
    """

    __slots__ = ("entered", "granted", "kind", "owner", "revoked", "scoped", "stop_requested", "waiting")

    def __init__(self, kind: Kind, scoped: bool, waiting: Waiting) -> None:
        self.kind = kind
        self.owner: asyncio.Task[Any] | None = current_task()  # None: asked for outside of any task
        self.scoped = scoped  # ended by a block, not by a notify_… call
        self.waiting = waiting
        self.entered = False  # the block has begun
        self.granted = False
        self.revoked = False
        self.stop_requested = False

    def __repr__(self) -> str:
        state = "revoked" if self.revoked else "active" if self.granted else "not active"
        return f"<{self.kind.value} turn, {state}>"

    async def wait_for_stop(self, timeout: float = math.inf) -> bool:
        """Sleep `timeout` seconds, or less if the turn is to end; return whether it is.

        A scanner spends its pass in here. No `asyncio.wait_for` is needed, which before Python 3.12 may swallow a
        cancellation.
        """
        return await self.waiting.until(lambda: self.stop_requested, timeout)

    def encloses(self, other: Turn) -> bool:
        """Whether `other` would be part of this one, being of the same task."""
        return self.owner is not None and self.owner is other.owner and (self.kind, other.kind) in _NESTING

    def is_abandoned_for(self, successor: Turn) -> bool:
        """Whether no late completion of this revoked turn can come, or be told from that of its task's next one."""
        if not self.revoked:
            return False
        return self.owner is None or self.owner is successor.owner or self.owner.done()


class Turns:
    """The turns of one adapter. It knows no time: who gives up, ends its turn.

    Args:
        waiting: where those sleep who wait for a turn, or for one to end.
        on_change: called after each change, with whether somebody has got on.

    Attributes:
        enabled: turns exclude each other.
        active: those who have the adapter.
        queue: those who wait for it, in the order of asking.
        scans_started: how often a scan got the adapter.
        scanner_known: a scanner has shown itself. Nothing scans until then, but whoever asks a scanner to stop knows of
            one: until the first sign of it, only its answer tells that it is off.
    """

    def __init__(self, enabled: bool, waiting: Waiting, on_change: Callable[[bool], object]) -> None:
        self.enabled = enabled
        self.active: list[Turn] = []
        self.queue: list[Turn] = []
        self.scanner_known = False
        self.scans_started = 0
        self._waiting = waiting
        self._on_change = on_change

    def __iter__(self) -> Iterator[Turn]:
        return iter((*self.active, *self.queue))

    # --- what is so ---------------------------------------------------------------------------------------------------

    @property
    def scanner_off(self) -> bool:
        """Whether the scanner is known to be off."""
        return self.scanner_known and not any(turn.kind is Kind.SCAN for turn in self.active)

    @property
    def scan_ready(self) -> bool:
        """Whether a scan runs that has not been asked to stop."""
        return any(turn.kind is Kind.SCAN and not turn.stop_requested for turn in self.active)

    @property
    def scan_asked_to_stop(self) -> bool:
        """Whether a scan runs that has been asked to stop."""
        return any(turn.kind is Kind.SCAN and turn.stop_requested for turn in self.active)

    @property
    def client_is_next(self) -> bool:
        """Whether a client has the adapter, or waits for nothing but the scanner."""
        if not self.enabled:
            return False
        held = [turn for turn in self.active if turn.kind is not Kind.SCAN]
        return any(turn.kind is Kind.CLIENT for turn in held) or any(
            turn.kind is Kind.CLIENT and not any(self._must_wait(turn, other) for other in held) for turn in self.queue
        )

    @property
    def exclusive(self) -> bool:
        """Whether somebody has, or waits for, the adapter alone.

        A scan that was asked to stop counts even when nobody waits for it any more: clients that give up one after the
        other would otherwise each begin the count of `Progress` anew, and hide that it hangs.
        """
        return self.enabled and (self.scan_asked_to_stop or any(turn.kind is not Kind.SCAN for turn in self))

    # --- asking and ending --------------------------------------------------------------------------------------------

    def refuse_nesting(self, kind: Kind) -> None:
        """Raise DriverStateError if the current task has or awaits a turn that the new one would wait for."""
        task = current_task()
        for turn in self:
            if turn.kind is Kind.SCAN and not turn.scoped:
                continue  # another task may well stop the scanner that this one announced
            if self.enabled and turn.owner is task and (turn.kind, kind) not in _NESTING:
                raise DriverStateError(
                    f"this task has a {turn.kind.value} turn and would wait for itself: end it first"
                )

    def enqueue(self, kind: Kind, scoped: bool) -> Turn:
        """Queue a turn: last, or where its task already stands.

        The task that holds the lock must not queue behind those who wait for its lock, nor the other way round.
        """
        turn = Turn(kind, scoped, self._waiting)
        place = 0
        if not self._is_nested(turn):
            place = next((n for n, other in enumerate(self.queue) if other.encloses(turn)), len(self.queue))
        self.queue.insert(place, turn)
        self.settle()
        return turn

    def finish(self, turn: Turn) -> None:
        """Take a turn out, whether it is active, waits, or is gone already."""
        turn.granted = False
        self.active = [other for other in self.active if other is not turn]
        self.queue = [other for other in self.queue if other is not turn]
        self.settle()

    def revoke(self) -> list[Turn]:
        """Take the adapter from everybody, and give it to those who wait in a block; return who it was taken from."""
        # Whoever was granted the adapter this very moment, and has not woken yet, has not used it: they go on waiting.
        unused = [turn for turn in self.active if turn.scoped and not turn.entered]
        taken = [turn for turn in self.active if turn not in unused]
        taken += [turn for turn in self.queue if not turn.scoped]
        for turn in taken:
            turn.granted, turn.revoked, turn.stop_requested = False, True, True
        for turn in unused:
            turn.granted = turn.stop_requested = False
        self.active.clear()
        self.queue = unused + [turn for turn in self.queue if turn.scoped]
        self.settle()
        return taken

    def settle(self) -> None:
        """Grant what can be granted, and tell everybody who waits for something that things have changed.

        Turns are granted here and nowhere else, at the moment they become free: between a grant and the waking of
        who waits for it nobody can come in, and no grant depends on the order of waking.
        """
        waiting: list[Turn] = []
        progress = False
        for turn in self.queue:
            if self.enabled and any(self._must_wait(turn, other) for other in (*self.active, *waiting)):
                waiting.append(turn)
                continue
            # A scan beside one that hangs is no progress.
            progress |= turn.kind is not Kind.SCAN or not self.scan_asked_to_stop
            self.active.append(turn)
            turn.granted = True
            if turn.kind is Kind.SCAN:
                self.scanner_known = True
                self.scans_started += 1
        self.queue = waiting
        if self.client_is_next:
            for turn in self.active:
                turn.stop_requested |= turn.kind is Kind.SCAN
        self._on_change(progress)
        self._waiting.wake()

    def _must_wait(self, turn: Turn, other: Turn) -> bool:
        kinds = {turn.kind, other.kind}
        if Kind.SCAN in kinds:
            return Kind.CLIENT in kinds
        # Clients and locks exclude each other, but not within one task: there the lock brackets the operation. Nor
        # does who has the one already wait for another's to get both: two who came in while the exclusion was off,
        # each with one of its own, would wait for each other.
        return len(kinds) == 1 or not (self._is_nested(turn) or turn.encloses(other) or other.encloses(turn))

    def _is_nested(self, turn: Turn) -> bool:
        """Whether it is part of another turn that its task has now."""
        return any(other.encloses(turn) for other in self.active)
