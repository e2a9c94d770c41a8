"""Who else would like a place: the rank of a peer among those that wait, whatever their number."""

from __future__ import annotations

from collections import OrderedDict

#: Seconds without an advertisement after which a peer does not compete any more; advertising intervals are at most
#: 10.24 s, but those of connectable peers that want to be found are below 2 s (Core Spec 5.4, Vol 3, C, Appendix A).
FRESH = 5.0
#: Scores from 0 to 1 are told apart in this many steps. With a fixed number of them a rank costs the same for ten peers
#: and for a thousand, and nothing need be sorted.
STEPS = 64


class Contest:
    """The peers that are ready to be dialled and have no place."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._counts = [0] * STEPS

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, address: str, score: float, now: float) -> None:
        """A peer waits."""
        self.leave(address)
        step = _step(score)
        self._waiting[address] = (step, now)
        self._counts[step] += 1

    def leave(self, address: str) -> None:
        """A peer waits no more; harmless if it did not."""
        entry = self._waiting.pop(address, None)
        if entry is not None:
            self._counts[entry[0]] -= 1

    def better_than(self, score: float, now: float) -> int:
        """Return how many peers wait that have a better score and were heard just now."""
        while self._waiting:
            address, (_, heard) = next(iter(self._waiting.items()))
            if now - heard <= FRESH:
                break
            self.leave(address)
        return sum(self._counts[_step(score) + 1 :])


def _step(score: float) -> int:
    return max(0, min(int(score * STEPS), STEPS - 1))
