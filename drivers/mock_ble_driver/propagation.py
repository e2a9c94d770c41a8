"""How strongly one node hears another: path loss over the distance, and walls."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

#: Metres below which a signal does not get stronger: the model holds from its reference distance on.
REFERENCE = 1.0
#: Standard deviations beyond which shadowing is not drawn, so that every node has a farthest distance.
FARTHEST_SHADOW = 2.0


@dataclass(frozen=True)
class Propagation:
    """The log-distance model with log-normal shadowing (Rappaport, Wireless Communications, 4.9).

    Attributes:
        rssi_at_reference: dBm at which a node that sends with 0 dBm is heard at 1 m.
        exponent: how fast the signal fades: 2 in free space, 2.5 to 4 in and between buildings.
        shadowing: standard deviation, in dB, of what stands between two nodes. It is the same both ways, and stays.
        sensitivity: dBm below which nothing is understood; LE requires -70 or better and good radios do -95 (Core Spec
            5.4, Vol 6, Part A, 4.1).
    """

    rssi_at_reference: float = -60.0
    exponent: float = 2.5
    shadowing: float = 0.0
    sensitivity: float = -95.0

    def rssi(self, distance: float, shadow: float = 0.0) -> float:
        """Return the signal strength in dBm at `distance` metres, less `shadow` dB."""
        loss = 10.0 * self.exponent * math.log10(max(distance, REFERENCE) / REFERENCE)
        return self.rssi_at_reference - loss - shadow

    def reach(self, tx_power: float = 0.0) -> float:
        """Return the distance in metres beyond which nobody is heard who sends with `tx_power` dBm."""
        margin = self.rssi_at_reference + tx_power + FARTHEST_SHADOW * self.shadowing - self.sensitivity
        return REFERENCE * math.pow(10.0, max(margin, 0.0) / (10.0 * self.exponent))

    def shadow(self, seed: int, one: int, other: int) -> float:
        """Return what stands between two nodes, in dB: always the same for the same seed and the same two numbers."""
        if not self.shadowing:
            return 0.0
        low, high = sorted((one, other))
        drawn = random.Random(seed << 64 | low << 32 | high).gauss(0.0, 1.0)
        return self.shadowing * max(-FARTHEST_SHADOW, min(drawn, FARTHEST_SHADOW))
