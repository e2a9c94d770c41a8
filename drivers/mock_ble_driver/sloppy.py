"""A driver as a hurried third party writes it: it tells things twice, and too late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .air import VirtualAir
from .driver import MockBLEDriver

#: Seconds, at most, by which a callback is late.
LATENESS = 0.5


class SloppyMockDriver(MockBLEDriver):
    """A `MockBLEDriver` that breaks the contract: links and failures may be reported twice, late, or both.

    Frames are reported as they should: there is no cure for a radio that repeats or reorders them (`fragmentation`).

    Args:
        air: what it shares with the nodes that it can reach.
        sloppiness: how often a callback is late, and how often it comes twice, from 0 to 1.
        **options: those of `MockBLEDriver`.
    """

    def __init__(self, air: VirtualAir, *, sloppiness: float = 0.5, **options: Any) -> None:
        super().__init__(air, **options)
        self.sloppiness = sloppiness

    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        if callback is None or callback in (self.on_data_received, self.on_send_ready):
            super()._emit(callback, *args)
            return
        chance = self.air.random
        for _ in range(2 if chance.random() < self.sloppiness else 1):
            if chance.random() < self.sloppiness:
                self.air.dispatcher.call_later(chance.uniform(0, LATENESS), super()._emit, callback, *args)
            else:
                super()._emit(callback, *args)
