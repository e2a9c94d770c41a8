"""Delays between attempts: their bounds, their growth, their repeatability."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_driver import InvalidOptionError
from ble_driver.reconnect_policy import ReconnectPolicy

POLICIES = st.builds(
    lambda delays, backoff, jitter, retries, seed: ReconnectPolicy(
        min(delays), max(delays), backoff, jitter, retries, seed=seed
    ),
    st.tuples(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300)),
    st.floats(1.0, 1e300),
    st.floats(0.0, 1.0),
    st.none() | st.integers(0, 10**6),
    st.integers(),
)
ATTEMPTS = st.integers(0, 10) | st.integers(0, 10**9)


@given(POLICIES, ATTEMPTS)
def test_a_delay_is_within_the_jitter_and_never_above_the_maximum(policy: ReconnectPolicy, attempt: int) -> None:
    exact = ReconnectPolicy(policy.initial_delay, policy.max_delay, policy.backoff, 0.0).get_delay(attempt)
    delay = policy.get_delay(attempt)
    slack = 1e-12 * exact  # of rounding
    assert exact * (1 - policy.jitter_ratio) - slack <= delay <= exact * (1 + policy.jitter_ratio) + slack
    assert 0.0 <= delay <= policy.max_delay


@given(POLICIES, st.integers(0, 2000))
def test_without_jitter_delays_grow_by_the_factor_up_to_the_maximum(policy: ReconnectPolicy, attempt: int) -> None:
    exact = ReconnectPolicy(policy.initial_delay, policy.max_delay, policy.backoff, 0.0)
    this, following = exact.get_delay(attempt), exact.get_delay(attempt + 1)
    assert exact.get_delay(0) == policy.initial_delay
    assert this <= following
    assert following == policy.max_delay or following == pytest.approx(this * policy.backoff)


@given(st.integers(), st.lists(ATTEMPTS, max_size=20))
def test_a_seed_makes_delays_repeatable(seed: int, attempts: list[int]) -> None:
    first, second = ReconnectPolicy(seed=seed), ReconnectPolicy(rng=random.Random(seed))
    assert [first.get_delay(n) for n in attempts] == [second.get_delay(n) for n in attempts]


def test_peers_that_share_a_policy_do_not_try_in_step_and_use_the_whole_range() -> None:
    policy = ReconnectPolicy(10.0, 100.0, jitter_ratio=0.5, seed=1)
    delays = [policy.get_delay(0) for _ in range(1000)]
    assert len(set(delays)) == len(delays)
    assert min(delays) == pytest.approx(5.0, abs=0.1)
    assert max(delays) == pytest.approx(15.0, abs=0.1)
    assert sum(delays) / len(delays) == pytest.approx(10.0, abs=0.3)
    assert len({policy.get_delay(50) for _ in range(1000)}) > 400  # also where the maximum is reached


def test_the_usual_sequence() -> None:
    policy = ReconnectPolicy(1.0, 10.0, 2.0, 0.0, 5)
    assert [policy.get_delay(n) for n in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert [policy.should_retry(n) for n in range(7)] == [True] * 5 + [False] * 2
    assert not ReconnectPolicy(max_retries=0).should_retry(0)
    assert ReconnectPolicy().should_retry(10**9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("initial_delay", bad) for bad in (0.0, -1.0, math.nan, math.inf, "1", True)),
        *(("max_delay", bad) for bad in (0.0, 0.5, math.nan, math.inf, None)),
        *(("backoff", bad) for bad in (0.99, math.nan, math.inf, "2", False)),
        *(("jitter_ratio", bad) for bad in (-0.1, 1.1, math.nan, None, True)),
        *(("max_retries", bad) for bad in (-1, 1.5, "3", True)),
    ],
)
def test_values_out_of_range_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidOptionError, match=name):
        ReconnectPolicy(**{name: value})


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="not both"):
        ReconnectPolicy(seed=1, rng=random.Random())
    for call in (ReconnectPolicy().get_delay, ReconnectPolicy().should_retry):
        with pytest.raises(InvalidOptionError, match="attempt"):
            call(-1)
