"""When to try again, and when to give up: exponential back-off with jitter, as a plain calculation.

It knows no clock and no link. Whoever reconnects counts its attempts, asks for the delay, and does the waiting.
"""

from __future__ import annotations

import math
import random

from .checks import check_seconds
from .errors import InvalidOptionError


class ReconnectPolicy:
    """Delays that grow from attempt to attempt, each a little off, so that peers do not try in step.

    Two hosts that dial each other at once are both deaf (PROTOCOL.md, BlueZ facts); without jitter they would be so
    again at every retry. Each call draws anew, so that one policy serves many peers.

    Args:
        initial_delay: seconds before the first retry.
        max_delay: seconds that no delay exceeds, jitter included.
        backoff: factor from one delay to the next, at least 1.
        jitter_ratio: how far a delay may be off, as a share of it, 0 to 1; 0.2 means 20 % either way.
        max_retries: how many retries there are; None means no end.
        seed: makes the sequence of delays repeatable.
        rng: where the jitter comes from, instead of a seed.

    Raises:
        InvalidOptionError: a value is out of range, or both `seed` and `rng` are given.
    """

    def __init__(
        self,
        initial_delay: float = 1.0,
        max_delay: float = 60.0,
        backoff: float = 2.0,
        jitter_ratio: float = 0.2,
        max_retries: int | None = None,
        *,
        seed: int | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.initial_delay = check_seconds("initial_delay", initial_delay)
        self.max_delay = check_seconds("max_delay", max_delay)
        if self.max_delay < self.initial_delay:
            raise InvalidOptionError(f"max_delay must not be below initial_delay: {max_delay!r} < {initial_delay!r}")
        self.backoff = _check_number("backoff", backoff, 1.0, math.inf)
        self.jitter_ratio = _check_number("jitter_ratio", jitter_ratio, 0.0, 1.0)
        self.max_retries = None if max_retries is None else _check_count("max_retries", max_retries)
        if seed is not None and rng is not None:
            raise InvalidOptionError("give either a seed or an rng, not both")
        self._rng = random.Random(seed) if rng is None else rng

    def get_delay(self, attempt: int) -> float:
        """Return the seconds to wait before a retry.

        Args:
            attempt: how many retries were made before; 0 asks for the first.

        Raises:
            InvalidOptionError: `attempt` is negative or no whole number.
        """
        steps = _check_count("attempt", attempt)
        try:
            delay = min(self.initial_delay * self.backoff**steps, self.max_delay)
        except OverflowError:  # a thousand attempts on
            delay = self.max_delay
        delay *= 1.0 + self.jitter_ratio * self._rng.uniform(-1.0, 1.0)
        return min(delay, self.max_delay)

    def should_retry(self, attempt: int) -> bool:
        """Return whether there is a retry after `attempt` retries were made.

        Raises:
            InvalidOptionError: `attempt` is negative or no whole number.
        """
        return _check_count("attempt", attempt) < (math.inf if self.max_retries is None else self.max_retries)


def _check_number(name: str, value: float, low: float, high: float) -> float:
    if (
        not isinstance(value, (int, float))
        or isinstance(value, bool)
        or not low <= value <= high
        or not math.isfinite(value)
    ):
        limits = f"at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise InvalidOptionError(f"{name} must be a number {limits}, not {value!r}")
    return float(value)


def _check_count(name: str, value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidOptionError(f"{name} must be a whole number of at least 0, not {value!r}")
    return value
