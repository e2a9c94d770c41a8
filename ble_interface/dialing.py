"""Who dials whom, and when (PROTOCOL.md, Who dials)."""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

from ble_driver import (
    AddressType,
    BLEDevice,
    ConnectCancelledError,
    LinkError,
    LinkRaceError,
    ReconnectPolicy,
    address_to_int,
)

from .contest import Contest
from .gatt import HANDSHAKE_TIMEOUT, is_peripheral_only
from .scoring import Quality

#: Seconds between two attempts at one peer.
DIAL_INTERVAL = 5.0
#: Seconds that the node with the higher address waits to be dialled before it dials itself.
GRACE = 10.0
#: Seconds, at most, by which an attempt is put off at random: two nodes that dial each other at once are both deaf.
JITTER = 1.0
#: How many peers are remembered; beyond it the one that was heard longest ago is forgotten.
MAX_REMEMBERED = 1000
#: Seconds, the first and the longest, for which a peer is left alone after an attempt failed.
RETRY_FIRST, RETRY_MAX = DIAL_INTERVAL, 30.0
#: A link that did not last this many seconds went like an attempt that failed: so ends one that a full peer takes, and
#: one whose handshake did not come through.
SHORT_LINK = HANDSHAKE_TIMEOUT + 5.0
#: By how much a waiting peer's score must be better, and for how many seconds it must have waited, to have the place of
#: another; and how many seconds that other must have had it. A difference of 0.2 is one of 23 dB.
EVICT_MARGIN, EVICT_PATIENCE, EVICT_AGE = 0.2, 30.0, 60.0

_order_of = lru_cache(maxsize=4 * MAX_REMEMBERED)(address_to_int)


@dataclass(slots=True)
class _Heard:
    quality: Quality
    since: float  # when it was first heard, or last linked
    not_before: float
    identity: bytes | None = None
    failures: int = 0
    failures_before_link: int = 0
    waits_since: float | None = None  # ready to be dialled, but without a place


class DialPolicy:
    """Decides for each advertisement whether to dial now.

    Args:
        rng: where the jitter comes from.
        reconnect: how long a peer is left alone after an attempt failed, and when it is given up; a peer that was given
            up is dialled again once it has linked to us, or was forgotten.
    """

    def __init__(self, rng: random.Random, reconnect: ReconnectPolicy | None = None) -> None:
        self._rng = rng
        self._reconnect = reconnect or ReconnectPolicy(RETRY_FIRST, RETRY_MAX, rng=rng)
        self._heard: OrderedDict[str, _Heard] = OrderedDict()
        self._contest = Contest()

    # --- advertisements -----------------------------------------------------------------------------------------------

    def hear(self, device: BLEDevice, now: float) -> None:
        """Take note of an advertisement of a peer that is not to be dialled."""
        self._remember(device.address, now).quality.hear(device.rssi, now)

    def delay(
        self,
        device: BLEDevice,
        local_address: str | None,
        local_type: AddressType,
        now: float,
        free: int | None = None,
    ) -> float:
        """Return in how many seconds to dial the device that has just been heard.

        0 means now, infinite that nothing but another advertisement can tell: it has no place, or is not to be dialled.

        Args:
            device: the advertisement.
            local_address: our own address, or None if unknown.
            local_type: the type of our own address.
            now: the time in seconds.
            free: how many places there are; the best of the peers that wait get them. None: enough for all.
        """
        heard = self._remember(device.address, now)
        heard.quality.hear(device.rssi, now)
        due = heard.not_before
        # An address is compared only where that decides: this runs for every advertisement of everybody.
        if now < heard.since + GRACE and not _is_ours_to_dial(device, local_address, local_type):
            due = max(due, heard.since + GRACE)
        if now < due:
            self._contest.leave(device.address)
            heard.waits_since = None
            return due - now
        return 0.0 if self._has_place(heard, device.address, now, free) else math.inf

    def _has_place(self, heard: _Heard, address: str, now: float, free: int | None) -> bool:
        """Whether a peer that is ready to be dialled is among the best of those that wait."""
        self._contest.leave(address)
        score = heard.quality.score(now)
        if free is None or (free and self._contest.better_than(score, now) < free):
            heard.waits_since = None
            return True
        self._contest.enter(address, score, now)
        if heard.waits_since is None:
            heard.waits_since = now
        return False

    def is_clearly_better(self, address: str, other: str, now: float) -> bool:
        """Whether a peer that waits for a place should have that of another."""
        heard = self._heard.get(address)
        if heard is None or heard.waits_since is None or now - heard.waits_since < EVICT_PATIENCE:
            return False
        return heard.quality.score(now) >= self.score(other, now) + EVICT_MARGIN

    # --- what became of it --------------------------------------------------------------------------------------------

    def dialled(self, address: str, now: float) -> None:
        """An attempt begins: the next one may come when the interval is over."""
        self._remember(address, now).not_before = now + DIAL_INTERVAL + self._rng.uniform(0, JITTER)

    def failed(self, address: str, error: LinkError, now: float) -> None:
        """An attempt ended without a link: the peer is left alone for a while, unless it was not its doing."""
        if not isinstance(error, (ConnectCancelledError, LinkRaceError)):
            self._blame(self._remember(address, now), now)

    def _blame(self, heard: _Heard, now: float) -> None:
        heard.quality.went(False, now)
        if self._reconnect.should_retry(heard.failures):
            heard.not_before = max(heard.not_before, now + self._reconnect.get_delay(heard.failures))
        else:
            heard.not_before = math.inf
        heard.failures += 1

    def learn(self, address: str, identity: bytes, now: float) -> None:
        """This identity was found at an address."""
        self._remember(address, now).identity = identity

    def linked(self, address: str, identity: bytes, now: float) -> None:
        """There is, or was, a link to this peer. Its failures are forgotten; if it breaks, its grace begins anew."""
        heard = self._remember(address, now)
        heard.since, heard.identity = now, identity
        heard.failures_before_link, heard.failures = heard.failures, 0
        if math.isinf(heard.not_before):
            heard.not_before = now
        heard.not_before = max(heard.not_before, now + self._rng.uniform(0, JITTER))

    def unlinked(self, address: str, lasted: float, now: float) -> None:
        """A link that `linked` told of broke after so many seconds, by no deed of ours."""
        heard = self._remember(address, now)
        heard.since = now
        heard.not_before = max(heard.not_before, now + self._rng.uniform(0, JITTER))
        if lasted < SHORT_LINK:
            heard.failures = heard.failures_before_link
            self._blame(heard, now)
        else:
            heard.quality.went(True, now)

    # --- what is known ------------------------------------------------------------------------------------------------

    def identity_of(self, address: str) -> bytes | None:
        """Return the identity that was last found at an address."""
        heard = self._heard.get(address)
        return heard.identity if heard is not None else None

    def rssi_of(self, address: str) -> int | None:
        """Return the smoothed signal strength at which an address is heard, in dBm, or None if unknown."""
        heard = self._heard.get(address)
        return round(heard.quality.rssi) if heard is not None and heard.quality.rssi is not None else None

    def score(self, address: str, now: float) -> float:
        """Return how good a peer is, from 0 to 1; 0 if it was never heard."""
        heard = self._heard.get(address)
        return heard.quality.score(now) if heard is not None else 0.0

    def _remember(self, address: str, now: float) -> _Heard:
        heard = self._heard.get(address)
        if heard is None:
            heard = self._heard[address] = _Heard(Quality(now), now, now + self._rng.uniform(0, JITTER))
            if len(self._heard) > MAX_REMEMBERED:
                forgotten, _ = self._heard.popitem(last=False)
                self._contest.leave(forgotten)
        else:
            self._heard.move_to_end(address)
        return heard


def _is_ours_to_dial(device: BLEDevice, local_address: str | None, local_type: AddressType) -> bool:
    """Whether we dial at once: our address is the lower, it cannot be compared, or the peer never dials."""
    if is_peripheral_only(device):
        return True
    if local_address is None or AddressType.RANDOM in (local_type, device.address_type):
        return True
    return _order_of(local_address) < _order_of(device.address)
