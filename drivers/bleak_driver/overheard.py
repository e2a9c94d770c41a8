"""What centrals have heard that was meant for another: on a shared notify characteristic, one copy serves all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ble_driver import Packet

#: Seconds for which a packet that was overheard counts as delivered; the same bytes later are meant to be said again.
OVERHEARD_TIME = 0.5
#: Packets remembered per central.
MAX_OVERHEARD = 32


class Overheard:
    """Spares the second copy of a packet that goes to several centrals (PROTOCOL.md, BlueZ facts).

    For each central it keeps, in order, what it has heard since it was last sent something itself. If its next packet
    is among that, it has it already, and in order; if not, nothing older may count any more, for order's sake.
    """

    def __init__(self) -> None:
        self._heard: dict[str, deque[tuple[float, Packet]]] = {}

    def has(self, address: str, packet: Packet, now: float) -> bool:
        """Whether the central has heard this packet, which is the next for it; counts it as delivered if so."""
        heard = self._heard.get(address, deque())
        while heard:
            at, other = heard.popleft()
            if other == packet and now - at <= OVERHEARD_TIME:
                return True
        return False

    def notified(self, address: str, packet: Packet, others: Iterable[str], now: float) -> None:
        """A packet for one central went out; the others have heard it."""
        self._heard.pop(address, None)
        for other in others:
            self._heard.setdefault(other, deque(maxlen=MAX_OVERHEARD)).append((now, packet))

    def gone(self, address: str) -> None:
        """A central is disconnected."""
        self._heard.pop(address, None)
