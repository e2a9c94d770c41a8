"""The centrals that have connected to us, and the MTU that bounds a notification: all of them hear it."""

from __future__ import annotations

import math
from collections.abc import Callable

from ble_driver import DEFAULT_MTU, clamp_mtu

#: Seconds after its connection in which a central may still be unheard of, so that frames must fit the default MTU.
UNHEARD_TIME = 10.0


class Centrals:
    """Who has connected, and with which ATT MTU.

    BlueZ tells the MTU of a central only with its first write; it may subscribe before. A notification longer than
    the smallest MTU of those who have subscribed is cut for them, silently.

    Args:
        time: the time in seconds.
    """

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._unheard: dict[str, float] = {}  # connected and not written yet, since when
        self._mtu: dict[str, int] = {}

    def connected(self, address: str) -> None:
        """A device has a link to us, or we to it; it has not written yet."""
        self._unheard.setdefault(address, self._time())

    def heard(self, address: str, mtu: int) -> None:
        """A central has written, over this ATT MTU; 0 if BlueZ does not say."""
        self._unheard.pop(address, None)
        self._mtu[address] = clamp_mtu(mtu)

    def gone(self, address: str) -> None:
        """It is disconnected, or turned out to be none."""
        self._unheard.pop(address, None)
        self._mtu.pop(address, None)

    def is_expected(self, address: str) -> bool:
        """Whether a device has connected so recently that its first write may still come."""
        return self._time() - self._unheard.get(address, -math.inf) < UNHEARD_TIME

    @property
    def addresses(self) -> list[str]:
        """Of those who have written."""
        return list(self._mtu)

    def clear(self) -> None:
        """All are gone."""
        self._unheard.clear()
        self._mtu.clear()

    @property
    def smallest_mtu(self) -> int:
        """The ATT MTU that a notification must fit, in bytes."""
        now = self._time()
        self._unheard = {address: at for address, at in self._unheard.items() if now - at < UNHEARD_TIME}
        return DEFAULT_MTU if self._unheard else min(self._mtu.values(), default=DEFAULT_MTU)
