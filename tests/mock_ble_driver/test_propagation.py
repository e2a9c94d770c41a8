"""How strongly nodes hear each other: the model alone."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.mock_ble_driver import Propagation


def test_ten_times_the_distance_costs_ten_times_the_exponent() -> None:
    model = Propagation(rssi_at_reference=-60.0, exponent=2.5)
    assert model.rssi(1.0) == model.rssi(0.0) == -60.0
    assert model.rssi(10.0) == pytest.approx(-85.0)
    assert model.rssi(10.0, shadow=3.0) == pytest.approx(-88.0)


@given(st.floats(1.5, 4.0), st.floats(0.0, 8.0), st.floats(-20.0, 20.0))
def test_nobody_is_heard_beyond_the_reach(exponent: float, shadowing: float, tx_power: float) -> None:
    model = Propagation(exponent=exponent, shadowing=shadowing)
    reach = model.reach(tx_power)
    best = tx_power + model.rssi(reach * 1.001, shadow=-2.0 * shadowing)
    assert best < model.sensitivity


def test_shadowing_is_the_same_both_ways_and_every_time_and_differs_by_pair_and_seed() -> None:
    model = Propagation(shadowing=4.0)
    assert model.shadow(1, 2, 3) == model.shadow(1, 3, 2) == model.shadow(1, 2, 3)
    assert len({model.shadow(1, 2, 3), model.shadow(2, 2, 3), model.shadow(1, 2, 4), model.shadow(1, 1, 3)}) == 4
    drawn = [model.shadow(1, n, n + 1) for n in range(2000)]
    assert abs(statistics.mean(drawn)) < 0.3
    assert 3.4 < statistics.stdev(drawn) < 4.1
    assert max(map(abs, drawn)) <= 8.0
    assert Propagation().shadow(1, 2, 3) == 0.0
