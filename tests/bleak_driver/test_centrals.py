"""A notification fits all who may hear it."""

from __future__ import annotations

import pytest

from ble_driver import frame_size
from drivers.bleak_driver.centrals import MULTIPLE_HEADER, UNHEARD_TIME, Centrals, notify_mtu


class Clock:
    """A time that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_smallest_mtu_of_all_centrals_counts() -> None:
    centrals = Centrals(Clock())
    assert centrals.smallest_mtu == 23
    for address, mtu in (("a", 517), ("b", 185), ("c", 247)):
        centrals.heard(address, mtu)
    assert centrals.smallest_mtu == notify_mtu(185)
    centrals.gone("b")
    assert centrals.smallest_mtu == notify_mtu(247)
    assert centrals.addresses == ["a", "c"]
    centrals.clear()
    assert centrals.smallest_mtu == 23


def test_an_mtu_that_cannot_be_is_put_right() -> None:
    centrals = Centrals(Clock())
    centrals.heard("a", 0)  # BlueZ does not say
    assert centrals.smallest_mtu == 23
    centrals.heard("a", 60_000)
    assert centrals.smallest_mtu == 517


@pytest.mark.parametrize("mtu", [25, 185, 512, 514, 515, 516, 517])
def test_a_notification_fits_a_pdu_that_could_take_several(mtu: int) -> None:
    assert frame_size(notify_mtu(mtu)) + MULTIPLE_HEADER <= mtu
    assert frame_size(notify_mtu(mtu)) >= min(frame_size(mtu), mtu - MULTIPLE_HEADER)


def test_the_only_central_is_known_for_one() -> None:
    clock = Clock()
    centrals = Centrals(clock)
    centrals.heard("a", 517)
    assert centrals.is_only("a")
    centrals.connected("b")
    assert not centrals.is_only("a")
    clock.now += UNHEARD_TIME
    assert centrals.is_only("a")
    centrals.heard("b", 517)
    assert not centrals.is_only("a")
    assert not centrals.is_only("b")


def test_who_has_connected_and_not_written_may_have_any_mtu_for_a_while() -> None:
    clock = Clock()
    centrals = Centrals(clock)
    centrals.heard("a", 517)
    centrals.connected("b")
    assert centrals.smallest_mtu == 23
    assert centrals.is_expected("b")
    assert not centrals.is_expected("a")
    clock.now += UNHEARD_TIME / 2
    centrals.connected("b")  # said twice, it is no new wait
    clock.now += UNHEARD_TIME / 2
    assert centrals.smallest_mtu == 517
    assert not centrals.is_expected("b")
    centrals.connected("c")
    centrals.heard("c", 247)
    assert centrals.smallest_mtu == notify_mtu(247)
