"""How good a peer is, when there are more peers than places.

Three things count: how strongly it is heard, how its last attempts and links went, and how recently it was heard.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ble_driver.types import RSSI_UNKNOWN

#: Signal strengths in dBm between which it counts: below, links break; above, nothing gets better.
RSSI_MIN, RSSI_MAX = -100, -30
#: The dBm for which a signal strength counts that the radio does not know.
RSSI_ASSUMED = -80
#: Share of a new measurement in the smoothed one: two advertisements of the same peer differ by 10 dB easily.
SMOOTHING = 0.25
#: Seconds in which what went well or badly loses half of its weight.
HISTORY_HALF_LIFE = 600.0
#: Seconds of silence in which recency loses half of its weight.
RECENCY_HALF_LIFE = 10.0
#: What each of the three contributes to a score; together 1.
SIGNAL, HISTORY, RECENCY = 0.6, 0.3, 0.1


@dataclass(slots=True)
class Quality:
    """What is known of one peer.

    Attributes:
        rssi: its smoothed signal strength in dBm, or None while unknown.
        heard: when it was last heard, in seconds.
    """

    heard: float
    rssi: float | None = None
    _history: float = 0.0  # from -1, all bad, to 1, all well
    _history_at: float = 0.0

    def hear(self, rssi: int | None, now: float) -> None:
        """An advertisement was heard, with this signal strength in dBm if the radio says so."""
        self.heard = now
        if rssi is None or rssi in RSSI_UNKNOWN:
            return
        level = float(max(RSSI_MIN, min(rssi, RSSI_MAX)))
        self.rssi = level if self.rssi is None else self.rssi + SMOOTHING * (level - self.rssi)

    def went(self, well: bool, now: float) -> None:
        """An attempt or a link went well or badly."""
        history = self._history_now(now)
        self._history, self._history_at = history + 0.5 * ((1.0 if well else -1.0) - history), now

    def _history_now(self, now: float) -> float:
        return self._history * _decay(now - self._history_at, HISTORY_HALF_LIFE)

    def score(self, now: float) -> float:
        """Return how good the peer is, from 0 to 1."""
        rssi = RSSI_ASSUMED if self.rssi is None else self.rssi
        signal = (rssi - RSSI_MIN) / (RSSI_MAX - RSSI_MIN)
        recency = _decay(now - self.heard, RECENCY_HALF_LIFE)
        return SIGNAL * signal + HISTORY * (self._history_now(now) + 1.0) / 2.0 + RECENCY * recency


def _decay(age: float, half_life: float) -> float:
    return math.pow(0.5, age / half_life)
