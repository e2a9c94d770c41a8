"""What is due at which moment of virtual time."""

from __future__ import annotations

import heapq
import itertools
from typing import Generic, Protocol, TypeVar

#: Seconds of one slot. A thousand nodes have a hundred timers in it.
SLOT = 1 / 16
#: Beyond this, in seconds, moments are not told apart: it is infinite for who waits.
FAR = 1e15
#: Entries beyond which those that were cancelled are swept out, again and again whenever their number has doubled.
SWEEP_LEAST = 1000


class Cancellable(Protocol):
    """What may be on an agenda."""

    def cancelled(self) -> bool:
        """Whether it is to be passed over."""


E = TypeVar("E", bound=Cancellable)


class Agenda(Generic[E]):
    """Entries in the order of the moments at which they are due, and of coming where those are the same.

    Only those of the slot that has begun are kept in order. A thousand nodes have ten thousand timers, and whenever the
    first is taken off one heap of them all, the processor reads a dozen places that it does not have at hand.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._slot = -1
        self._near: list[tuple[float, int, E]] = []
        self._later: dict[int, list[tuple[float, int, E]]] = {}
        self._slots: list[int] = []
        self._size = 0
        self._sweep_at = SWEEP_LEAST

    def add(self, when: float, entry: E) -> None:
        """Put something on the agenda."""
        if self._size >= self._sweep_at:
            self._sweep()
        self._size += 1
        slot = int(min(when, FAR) / SLOT)
        item = (when, next(self._numbers), entry)
        if slot <= self._slot:
            heapq.heappush(self._near, item)
        elif slot in self._later:
            self._later[slot].append(item)
        else:
            self._later[slot] = [item]
            heapq.heappush(self._slots, slot)

    def next_time(self) -> float | None:
        """Return when the first is due that is not cancelled, None if nothing is."""
        while True:
            while self._near:
                when, _, entry = self._near[0]
                if not entry.cancelled():
                    return when
                self._drop()
            if not self._slots:
                return None
            self._slot = heapq.heappop(self._slots)
            self._near = self._later.pop(self._slot)
            heapq.heapify(self._near)

    def take(self, now: float) -> E | None:
        """Take off the first if it is due by now."""
        when = self.next_time()
        return self._drop() if when is not None and when <= now else None

    def clear(self) -> None:
        """Forget everything."""
        self._near, self._later, self._slots, self._size = [], {}, [], 0

    def _drop(self) -> E:
        self._size -= 1
        return heapq.heappop(self._near)[2]

    def _sweep(self) -> None:
        self._near = [item for item in self._near if not item[2].cancelled()]
        heapq.heapify(self._near)
        kept = {slot: [item for item in items if not item[2].cancelled()] for slot, items in self._later.items()}
        self._later = {slot: items for slot, items in kept.items() if items}
        self._slots = sorted(self._later)
        self._size = len(self._near) + sum(map(len, self._later.values()))
        self._sweep_at = 2 * self._size + SWEEP_LEAST
