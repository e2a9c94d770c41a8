"""Times of things that are compared: taken in turns, so that whatever else the machine does disturbs all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A figure that was measured several times.

    Attributes:
        median: of all times.
        spread: half of what lies between the quartiles, as a share of the median.
    """

    median: float
    spread: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Sum up what was measured."""
        median = statistics.median(values)
        if len(values) < 2 or not median:
            return cls(median, 0.0)
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, (high - low) / 2 / abs(median))

    def per(self, amount: float) -> Figure:
        """Return how much of something there is in a unit of this: a rate, if this is a time."""
        return Figure(amount / self.median, self.spread)


def in_turns(sides: Mapping[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Run each side in turn, this often, and return the seconds of CPU that each took, in the order of the turns.

    The CPU of this thread is what is counted, so that another process that has the core meanwhile costs nothing.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, side in sides.items():
            begun = time.thread_time()
            side()
            seconds[name].append(time.thread_time() - begun)
    return seconds


def ratio(seconds: Mapping[str, Sequence[float]], of: str, to: str) -> float:
    """Return the median of what one side takes to what the other took in the same turn."""
    return statistics.median(a / b for a, b in zip(seconds[of], seconds[to], strict=True))
