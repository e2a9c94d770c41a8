"""Who dials whom, and when (PROTOCOL.md, Who dials)."""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass

from ble_driver import AddressType, BLEDevice, address_to_int

#: Seconds between two attempts at one peer.
DIAL_INTERVAL = 5.0
#: Seconds that the node with the higher address waits to be dialled before it dials itself.
GRACE = 10.0
#: Seconds, at most, by which an attempt is put off at random: two nodes that dial each other at once are both deaf.
JITTER = 1.0
#: How many peers are remembered; beyond it the one that was heard longest ago is forgotten.
MAX_REMEMBERED = 1000


@dataclass
class _Heard:
    since: float  # when it was first heard, or last linked
    not_before: float
    identity: bytes | None = None


class DialPolicy:
    """Decides for each advertisement whether to dial now.

    Args:
        rng: where the jitter comes from.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._heard: OrderedDict[str, _Heard] = OrderedDict()

    def should_dial(self, device: BLEDevice, local_address: str | None, local_type: AddressType, now: float) -> bool:
        """Whether to dial the device that has just been heard."""
        self._remember(device.address, now)
        return now >= self.due(device, local_address, local_type)

    def due(self, device: BLEDevice, local_address: str | None, local_type: AddressType) -> float:
        """Return the time from which on the device, which was heard, may be dialled."""
        heard = self._heard[device.address]
        if _is_ours_to_dial(device, local_address, local_type):
            return heard.not_before
        return max(heard.not_before, heard.since + GRACE)

    def dialled(self, address: str, now: float) -> None:
        """An attempt begins: the next one may come when the interval is over."""
        self._remember(address, now).not_before = now + DIAL_INTERVAL + self._rng.uniform(0, JITTER)

    def linked(self, address: str, identity: bytes, now: float) -> None:
        """There is, or was, a link to this peer: if it breaks, its grace begins anew."""
        heard = self._remember(address, now)
        heard.since, heard.identity = now, identity
        heard.not_before = max(heard.not_before, now + self._rng.uniform(0, JITTER))

    def identity_of(self, address: str) -> bytes | None:
        """Return the identity that was last found at an address."""
        heard = self._heard.get(address)
        return heard.identity if heard is not None else None

    def _remember(self, address: str, now: float) -> _Heard:
        heard = self._heard.get(address)
        if heard is None:
            heard = self._heard[address] = _Heard(now, now + self._rng.uniform(0, JITTER))
            if len(self._heard) > MAX_REMEMBERED:
                self._heard.popitem(last=False)
        else:
            self._heard.move_to_end(address)
        return heard


def _is_ours_to_dial(device: BLEDevice, local_address: str | None, local_type: AddressType) -> bool:
    """Whether the address rule makes us the one that dials: the lower address, or any that cannot be compared."""
    if local_address is None or AddressType.RANDOM in (local_type, device.address_type):
        return True
    return address_to_int(local_address) < address_to_int(device.address)
