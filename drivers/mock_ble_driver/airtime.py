"""How long a frame takes on one link, and how long a link lasts, when the radio loses packets.

The link layer of LE loses no data: it repeats a packet until it is acknowledged, at a later connection event, and gives
the link up when nothing has come through for the supervision timeout (Core Spec 5.4, Vol 6, Part B, 4.5.2 and 4.5.9).
So loss costs time, and in the end a link; it never costs a frame of a link that stays.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

#: Bytes that one link layer packet carries with data length extension (Core Spec 5.4, Vol 6, Part B, 2.4).
PDU_SIZE = 251
#: Bytes of L2CAP and ATT before the value of a write or a notification (Vol 3, Part A, 3.1, and Part F, 3.4).
ATT_OVERHEAD = 7
#: Connection events after which a link that was not answered once counts as never made (Vol 6, Part B, 4.5).
ESTABLISH_EVENTS = 6
#: Seconds within which a frame follows the one before it: a clock is not read twice at the same moment.
SLACK = 0.001
#: Links that would last longer than this many seconds are taken to last for ever.
FOR_EVER = 1e7


@dataclass(frozen=True)
class Timing:
    """What all links of an air have in common.

    Attributes:
        frame_time: seconds that any frame takes.
        connection_interval: seconds from one connection event to the next; 0 if there is one whenever it is needed.
        supervision_timeout: seconds without a packet after which a link is given up.
        loss: how likely one transmission of a packet is lost, from 0 to below 1.
    """

    frame_time: float
    connection_interval: float
    supervision_timeout: float
    loss: float

    def lifetime(self, rng: random.Random) -> float:
        """Draw the seconds until so many events in a row are lost that the supervision timeout passes.

        A run of n losses in a row takes (p^-n - 1) / (1 - p) events on average (Feller, An Introduction to Probability
        Theory, XIII.7), and its time is nearly exponential.
        """
        if not self.loss:
            return math.inf
        events = max(1, math.ceil(self.supervision_timeout / self.connection_interval))
        mean = (math.pow(self.loss, -events) - 1.0) / (1.0 - self.loss) * self.connection_interval
        return self.supervision_timeout + rng.expovariate(1.0) * mean


class Airtime:
    """One direction of one link.

    Args:
        timing: of the air.
        throughput: bytes per second; infinite if only the number of frames counts.
        rng: what decides how often something is lost.
        now: the time in seconds; the first connection event.
    """

    __slots__ = ("_anchor", "_busy_until", "_rng", "_throughput", "_timing")

    def __init__(self, timing: Timing, throughput: float, rng: random.Random, now: float) -> None:
        self._timing = timing
        self._throughput = throughput
        self._rng = rng
        self._anchor = self._busy_until = now

    def take(self, size: int, acknowledged: bool, now: float) -> float:
        """Return the seconds until a frame of `size` bytes that is sent now has arrived, and been acknowledged."""
        timing = self._timing
        # A frame that follows another goes into the same event; one that comes out of silence waits for the next.
        begin = now if now <= self._busy_until + SLACK else self._next_event(now)
        end = begin + timing.frame_time + size / self._throughput
        if timing.loss:
            end += self._repeats(size) * timing.connection_interval
        self._busy_until = self._next_event(end) if acknowledged else end
        return self._busy_until - now

    def _next_event(self, at: float) -> float:
        interval = self._timing.connection_interval
        return self._anchor + math.ceil((at - self._anchor) / interval) * interval if interval else at

    def _repeats(self, size: int) -> int:
        """Draw how often packets of the link layer are repeated; a run that would end the link is `lifetime`'s."""
        most = math.ceil(self._timing.supervision_timeout / self._timing.connection_interval) - 1
        repeats = 0
        for _ in range(math.ceil((size + ATT_OVERHEAD) / PDU_SIZE)):
            run = 0
            while run < most and self._rng.random() < self._timing.loss:
                run += 1
            repeats += run
        return repeats
