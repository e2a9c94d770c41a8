"""Who hears whom on the air, and what that costs."""

from __future__ import annotations

import pytest

from drivers.mock_ble_driver import Propagation

from .radios import an_air


def test_near_nodes_hear_each_other_by_distance_and_far_ones_not() -> None:
    with an_air() as air:
        here, near, far = air.radio(), air.radio(10.0), air.radio(40.0)
        air.dispatcher.run_for(0.5)
        assert {device.rssi for _, device in near.heard} == {-85}
        assert here.hears(near)
        assert not here.hears(far)
        assert not far.hears(here)
        assert not near.hears(far)


def test_a_strong_sender_is_heard_by_one_that_it_does_not_hear_and_no_link_comes_of_it() -> None:
    with an_air(connection_interval=0.05) as air:
        strong, weak = air.radio(tx_power=10.0), air.radio(40.0)
        air.dispatcher.run_for(0.5)
        assert weak.hears(strong)
        assert not strong.hears(weak)
        weak.connect(strong.address)
        air.dispatcher.run_for(1.0)
        assert [why for _, why in weak.failed] == [f"the link to {strong.address} could not be established"]
        assert strong.linked == []


def test_who_goes_out_of_range_is_lost_after_the_supervision_timeout_by_both_and_found_when_back() -> None:
    with an_air(supervision_timeout=0.5) as air:
        one, other = air.radio(), air.radio(5.0)
        air.link(one, other)
        left = air.dispatcher.time()
        other.move((500.0, 0.0))
        air.dispatcher.run_for(2.0)
        for radio in (one, other):
            assert [at - left for at, _ in radio.lost] == [pytest.approx(0.5, abs=0.01)]
        one.heard.clear()
        air.dispatcher.run_for(1.0)
        assert one.heard == []
        other.move((5.0, 0.0))
        air.link(one, other)


def test_a_short_walk_out_of_range_costs_no_link() -> None:
    with an_air(supervision_timeout=0.5) as air:
        one, other = air.radio(), air.radio(5.0)
        air.link(one, other)
        other.move((500.0, 0.0))
        air.dispatcher.run_for(0.3)
        other.move((6.0, 0.0))
        air.dispatcher.run_for(2.0)
        assert one.lost == other.lost == []


def test_an_end_that_is_out_of_range_learns_of_the_end_by_its_own_timeout() -> None:
    with an_air(supervision_timeout=0.5) as air:
        one, other = air.radio(), air.radio(5.0)
        air.link(one, other)
        other.move((500.0, 0.0))
        one.disconnect(other.address)
        air.dispatcher.run_for(0.1)
        assert (len(one.lost), len(other.lost)) == (1, 0)
        air.dispatcher.run_for(1.0)
        assert (len(one.lost), len(other.lost)) == (1, 1)


def test_a_filter_reports_what_is_unchanged_once_in_its_time() -> None:
    with an_air(duplicate_filter=5.0) as air:
        one, other = air.radio(), air.radio(5.0)
        air.dispatcher.run_for(4.0)
        assert len(one.heard) == 1
        air.dispatcher.run_for(5.0)
        assert len(one.heard) == 2
        other.rotate()
        air.dispatcher.run_for(0.5)
        assert [device.address for _, device in one.heard[2:]] == [other.address]
        one.stop_scanning()
        air.dispatcher.run_for(0.5)
        one.start_scanning()
        air.dispatcher.run_for(0.5)
        assert len(one.heard) == 4


def test_a_filter_has_a_time_of_its_own_for_each_that_hears() -> None:
    with an_air(duplicate_filter=5.0) as air:
        one, _ = air.radio(), air.radio(5.0)
        air.dispatcher.run_for(2.0)
        late = air.radio(6.0)
        air.dispatcher.run_for(9.0)
        of_the_second = [[round(at) for at, device in radio.heard if device.rssi == -77] for radio in (one, late)]
        assert of_the_second == [[0, 5, 10], []]
        assert [round(at) for at, device in late.heard if device.rssi == -60] == [2, 7]


def test_advertising_is_not_doubled_by_going_off_and_on() -> None:
    with an_air(advertising_interval=1.0) as air:
        one, other = air.radio(), air.radio(5.0)
        for _ in range(5):
            other.stop_advertising()
            air.dispatcher.run_for(0.01)
            other.start_advertising()
            air.dispatcher.run_for(0.01)
        one.heard.clear()
        air.dispatcher.run_for(10.0)
        assert 9 <= len(one.heard) <= 10


def test_a_node_among_a_thousand_costs_no_more_than_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    rssi = Propagation.rssi

    def count(self: Propagation, distance: float, shadow: float = 0.0) -> float:
        nonlocal asked
        asked += 1
        return rssi(self, distance, shadow)

    monkeypatch.setattr(Propagation, "rssi", count)
    with an_air(advertising_interval=1.0) as air:
        for n in range(1000):
            air.radio(10.0 * n)
        air.dispatcher.run_for(0.5)
        middle = air.radios[500]
        asked = 0
        for radio in air.radios:
            radio.heard.clear()
        middle.move((5005.0, 1.0))
        assert asked <= 15  # three cells of 25 m have two or three nodes each
        asked = 0
        air.dispatcher.run_for(10.0)
        assert asked == 0  # what is known is not asked again
        heard = sum(len(radio.heard) for radio in air.radios)
        assert heard <= 1000 * 10 * 6
        assert {radio.number for radio in air.radios if radio.hears(middle)} <= set(range(498, 506))
