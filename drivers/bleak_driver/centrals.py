"""The centrals that have connected to us, and the MTU that bounds a notification: all of them hear it."""

from __future__ import annotations

import math
from collections.abc import Callable

from ble_driver import ATT_HEADER, DEFAULT_MTU, clamp_mtu, frame_size

#: Opcode, handle and length before the value where one PDU takes several notifications, in bytes (Core Spec 5.4, Vol 3,
#: Part F, 3.4.7.4).
MULTIPLE_HEADER = 5
#: Seconds after its connection in which a central may still be unheard of, so that frames must fit the default MTU.
UNHEARD_TIME = 10.0


def notify_mtu(mtu: int) -> int:
    """Return the ATT MTU, in bytes, by which notifications to a central with this one are bounded.

    To a central that understands it BlueZ 5.82 (but not 5.66) sends several in one PDU, even if it is one only, and
    cuts silently what does not fit beside the longer header: at an MTU of 185 frames of 181 and 182 bytes. With an MTU
    of 23 nothing can be done about it, because frames have 20 bytes at least; who understands this has a larger one.
    """
    mtu = clamp_mtu(mtu)
    fits = frame_size(mtu) + MULTIPLE_HEADER <= mtu
    return mtu if fits else clamp_mtu(mtu - (MULTIPLE_HEADER - ATT_HEADER))


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
        self._mtu[address] = notify_mtu(mtu)

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
        """The ATT MTU that a notification must fit if all hear it, in bytes."""
        return DEFAULT_MTU if self._any_unheard else min(self._mtu.values(), default=DEFAULT_MTU)

    def is_only(self, address: str) -> bool:
        """Whether this central has written, and nobody else has a link that may be one of a central."""
        return self._mtu.keys() == {address} and not self._any_unheard

    @property
    def _any_unheard(self) -> bool:
        now = self._time()
        self._unheard = {address: at for address, at in self._unheard.items() if now - at < UNHEARD_TIME}
        return bool(self._unheard)
