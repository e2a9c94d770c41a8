"""Turns that one call begins and another one ends, perhaps in another task."""

from __future__ import annotations

import logging

from ..tasks import current_task
from .turns import Kind, Turn, Turns

logger = logging.getLogger(__name__)


class Announced:
    """What `request_scanner_stop` and `notify_scan_ready` began and nobody has completed."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._begun: list[Turn] = []

    def __len__(self) -> int:
        return len(self._begun)

    def begin(self, kind: Kind) -> Turn:
        """Begin a turn that `complete` will end."""
        turn = self._turns.enqueue(kind, scoped=False)
        self._begun = [other for other in self._begun if not other.is_abandoned_for(turn)]
        self._begun.append(turn)
        return turn

    def of(self, kind: Kind) -> list[Turn]:
        """Return those of a kind."""
        return [turn for turn in self._begun if turn.kind is kind]

    def meant(self, kind: Kind) -> Turn | None:
        """Return what a call without a turn means, if that can be told: that of this task, or the only one there is."""
        begun, task = self.of(kind), current_task()
        own = [turn for turn in begun if turn.owner is task]
        if own:
            return own[-1]
        return begun[0] if len(begun) == 1 else None

    def complete(self, kind: Kind, turn: Turn | None) -> None:
        """End a turn, or the one that is meant; harmless if it was revoked, or has been completed."""
        meant = turn or self.meant(kind)
        if meant is None:
            if self.of(kind):
                logger.warning("a completion fits several %s turns and is ignored: hand over the one meant", kind.value)
            self._turns.settle()
            return
        self._begun = [other for other in self._begun if other is not meant]
        if not meant.scoped:
            self._turns.finish(meant)
