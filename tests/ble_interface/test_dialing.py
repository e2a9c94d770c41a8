"""Whom to dial and when: the policy alone, with made-up advertisements and time."""

from __future__ import annotations

import math
import random
import time

import pytest

from ble_driver import AddressType, BLEDevice, ConnectCancelledError, LinkError, LinkRaceError, ReconnectPolicy
from ble_interface.contest import Contest
from ble_interface.dialing import DialPolicy
from ble_interface.scoring import Quality

US = "80:00:00:00:00:00"
ABOVE, BELOW = "90:00:00:00:00:00", "10:00:00:00:00:00"
LOW = b"\x01" * 16


def device(address: str = ABOVE, rssi: int | None = -60, **details: object) -> BLEDevice:
    return BLEDevice(address, None, rssi, AddressType.PUBLIC, **details)  # type: ignore[arg-type]


class ForestalledError(LinkRaceError):
    """As drivers have more of."""


class Policy(DialPolicy):
    """A policy of the node at `US`, which forgets that it was asked."""

    def __init__(self, **options: float) -> None:
        super().__init__(random.Random(1), ReconnectPolicy(jitter_ratio=0.0, **options) if options else None)  # type: ignore[arg-type]

    def wants(self, heard: BLEDevice, now: float, free: int | None = None) -> bool:
        return self.delay(heard, US, AddressType.PUBLIC, now, free) == 0.0

    def first_after(self, heard: BLEDevice, now: float, until: float = 1000.0) -> float:
        """Return how many seconds pass until it wants to dial a peer that is heard every 0.1 s."""
        at = now
        while at < now + until:
            if self.wants(heard, at):
                return at - now
            at += 0.1
        return math.inf


def test_the_lower_address_dials_within_a_second_and_the_higher_after_ten() -> None:
    assert Policy().first_after(device(ABOVE), 0.0) <= 1.1
    assert 10.0 <= Policy().first_after(device(BELOW), 0.0) <= 10.2


@pytest.mark.parametrize(
    ("record", "waits"),
    [
        ((0xFFFF, b"\x03\x01"), 0.0),
        ((0xFFFF, b"\x03\xff more"), 0.0),
        ((0xFFFF, b"\x03\x00"), 10.0),
        ((0xFFFF, b"\x03"), 10.0),
        ((0xFFFF, b"\x02\x01"), 10.0),
        ((0x004C, b"\x03\x01"), 10.0),
    ],
)
def test_a_peer_that_never_dials_is_dialled_without_grace(record: tuple[int, bytes], waits: float) -> None:
    peer = device(BELOW, manufacturer_data=(record,))
    assert waits <= Policy().first_after(peer, 0.0) <= waits + 1.1


def test_failures_make_it_wait_longer_and_a_success_forgets_them() -> None:
    policy, now = Policy(initial_delay=6.0, max_delay=30.0), 0.0
    waits = []
    for _ in range(5):
        policy.dialled(ABOVE, now)
        policy.failed(ABOVE, LinkError("it refuses"), now)
        waits.append(policy.first_after(device(), now))
        now += waits[-1]
    assert waits == pytest.approx([6, 12, 24, 30, 30], abs=0.2)
    policy.dialled(ABOVE, now)
    policy.linked(ABOVE, LOW, now)
    policy.unlinked(ABOVE, 600.0, now + 600.0)
    policy.dialled(ABOVE, now + 601.0)
    policy.failed(ABOVE, LinkError("it refuses"), now + 601.0)
    assert policy.first_after(device(), now + 601.0) == pytest.approx(6, abs=0.2)


@pytest.mark.parametrize(
    "race",
    [ConnectCancelledError("given up"), LinkRaceError("the peer was quicker"), ForestalledError("the same")],
)
def test_races_are_no_failures(race: LinkError) -> None:
    policy, now = Policy(initial_delay=60.0), 0.0
    for _ in range(5):
        policy.dialled(ABOVE, now)
        policy.failed(ABOVE, race, now)
        wait = policy.first_after(device(), now)
        assert 5.0 <= wait <= 6.2
        now += wait


def test_a_peer_that_drops_us_at_once_is_left_alone_for_longer_and_longer() -> None:
    policy, now = Policy(initial_delay=6.0, max_delay=30.0), 0.0
    waits = []
    for _ in range(4):
        policy.dialled(ABOVE, now)
        policy.linked(ABOVE, LOW, now)
        policy.unlinked(ABOVE, 0.5, now + 0.5)
        waits.append(policy.first_after(device(), now + 0.5))
        now += 0.5 + waits[-1]
    assert waits == pytest.approx([6, 12, 24, 30], abs=0.2)


def test_a_peer_that_was_given_up_is_dialled_again_once_it_has_linked_to_us() -> None:
    policy = Policy(initial_delay=6.0, max_retries=1)
    for now in (0.0, 10.0):
        policy.dialled(ABOVE, now)
        policy.failed(ABOVE, LinkError("it refuses"), now)
    assert policy.first_after(device(), 10.0) == math.inf
    policy.linked(ABOVE, LOW, 2000.0)
    policy.unlinked(ABOVE, 100.0, 2100.0)
    assert policy.first_after(device(), 2100.0) <= 2.2


# --- more peers than places -------------------------------------------------------------------------------------------


def test_the_best_of_those_that_wait_get_the_places() -> None:
    policy = Policy()
    peers = [device(f"90:00:00:00:00:{n:02X}", rssi=-90 + 6 * n) for n in range(10)]
    for peer in peers:
        policy.wants(peer, 0.0, free=0)
    for peer in peers:
        assert not policy.wants(peer, 2.0, free=0)
    assert [n for n, peer in enumerate(peers) if policy.wants(peer, 2.5, free=3)] == [7, 8, 9]


def test_who_is_not_heard_any_more_does_not_stand_in_the_way() -> None:
    policy = Policy()
    strong, weak = device("90:00:00:00:00:01", rssi=-40), device("90:00:00:00:00:02", rssi=-90)
    for now in (0.0, 2.0):
        policy.wants(strong, now, free=0)
        policy.wants(weak, now, free=0)
    assert not policy.wants(weak, 6.9, free=1)
    assert policy.wants(weak, 7.1, free=1)


def test_eviction_needs_a_clear_lead_and_patience() -> None:
    policy = Policy()
    linked, better, much_better = (device(f"90:00:00:00:00:0{n}", rssi=r) for n, r in ((1, -80), (2, -70), (3, -40)))

    def hear(now: float) -> None:
        policy.hear(linked, now)
        policy.wants(better, now, free=0)
        policy.wants(much_better, now, free=0)

    for tenth in range(290):
        hear(tenth / 10)
        assert not policy.is_clearly_better(much_better.address, linked.address, tenth / 10)
    for tenth in range(290, 330):
        hear(tenth / 10)
    assert policy.is_clearly_better(much_better.address, linked.address, 33.0)
    assert not policy.is_clearly_better(better.address, linked.address, 33.0)
    assert not policy.is_clearly_better("00:00:00:00:00:00", linked.address, 33.0)


def test_scores_follow_signal_history_and_recency() -> None:
    def score(rssi: int | None, went: str = "", ago: float = 0.0, now: float = 1000.0) -> float:
        quality = Quality(now - ago)
        for well in went:
            quality.went(well == "+", now - 10)
        quality.hear(rssi, now - ago)
        return quality.score(now)

    assert score(-40) > score(-60) > score(-90)
    assert score(-30) == score(-1) == score(20)
    assert score(-100) == score(-126)
    assert score(0) == score(None) == score(-127) == score(-128) == score(-80)
    assert score(-60, "+") > score(-60) > score(-60, "-") > score(-60, "--")
    assert score(-60) > score(-60, ago=20)
    assert 0.0 <= score(-100, "-" * 50, ago=1e6) < 0.01
    assert 0.99 < score(-30, "+" * 50) <= 1.0
    quality = Quality(0.0)
    quality.went(False, 0.0)
    scores = []
    for now in (0.0, 600.0, 6000.0):
        quality.hear(-60, now)
        scores.append(quality.score(now))
    assert scores == sorted(scores)
    assert scores[-1] == pytest.approx(score(-60), abs=0.001)


def test_the_contest_counts_those_that_wait() -> None:
    contest = Contest()
    for n in range(100):
        contest.enter(f"{n}", n / 100, 0.0)
    assert contest.better_than(0.5, 1.0) == pytest.approx(49, abs=2)
    for n in range(50):
        contest.enter(f"{n}", 1.0, 2.0)
        contest.leave(f"{n + 50}")
    assert contest.better_than(0.5, 2.0) == 50
    assert contest.better_than(0.5, 7.1) == 0
    assert len(contest) == 0


def test_an_advertisement_costs_the_same_among_ten_peers_and_a_thousand() -> None:
    def cost(peers: int) -> float:
        policy = Policy()
        devices = [device(f"90:00:00:00:{n >> 8:02X}:{n & 255:02X}", rssi=-90 + n % 50) for n in range(peers)]
        best = math.inf
        for round_ in range(6):
            begun = time.process_time()
            for n in range(2000):
                policy.wants(devices[n * 7 % peers], 10.0 + round_, free=0)
            best = min(best, time.process_time() - begun)
        return best

    assert cost(1000) < 3 * cost(10)


def test_who_is_forgotten_waits_no_more() -> None:
    policy = Policy()
    for n in range(3000):
        peer = device(f"90:00:00:00:{n >> 8:02X}:{n & 255:02X}")
        policy.wants(peer, 0.0, free=0)
        policy.wants(peer, 2.0, free=0)
    assert len(policy._heard) == len(policy._contest) == 1000
