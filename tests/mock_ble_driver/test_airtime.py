"""How long frames take, and what loss costs."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from ble_driver import InvalidOptionError
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir
from drivers.mock_ble_driver.airtime import Timing

from .radios import an_air


def test_a_link_has_the_lesser_mtu_and_throughput_of_its_ends() -> None:
    with an_air(frame_time=0.0) as air:
        hub = air.radio(throughput=100_000.0)
        slow, small = air.radio(throughput=1_000.0), air.radio(mtu=23)
        for peer in (slow, small):
            air.link(peer, hub)
        begun = air.dispatcher.time()
        hub.send_frames([slow.address], [bytes(500)] * 4)
        hub.send_frames([small.address], [bytes(20)] * 4)
        air.dispatcher.run_for(3.0)
        assert [at - begun for at, _ in slow.got] == pytest.approx([0.5, 1.0, 1.5, 2.0], abs=1e-3)
        assert [at - begun for at, _ in small.got] == pytest.approx([0.0002 * n for n in (1, 2, 3, 4)], abs=1e-5)


def test_frames_wait_for_a_connection_event_and_follow_each_other_within_it() -> None:
    with an_air(frame_time=0.001, connection_interval=0.1) as air:
        one, other = air.radio(), air.radio()
        air.link(one, other)
        anchor = one._links[other.address].airtime._anchor  # type: ignore[union-attr]
        for pause in (0.25, 0.333):
            air.dispatcher.run_for(pause)
            other.got.clear()
            begun = air.dispatcher.time()
            other_got = other.got
            one._links[other.address].unacknowledged = 0  # a write command: its end is that of its airtime
            one.send_frames([other.address], [b"one", b"two", b"three"])
            air.dispatcher.run_for(0.2)
            event = anchor + math.ceil((begun - anchor) / 0.1) * 0.1
            assert [at - event for at, _ in other_got] == pytest.approx([0.001, 0.002, 0.003], abs=1e-5)


def test_loss_costs_time_and_never_a_frame() -> None:
    taken = {}
    for loss in (0.0, 0.2, 0.5):
        with an_air(frame_time=0.001, connection_interval=0.03, supervision_timeout=5.0, loss=loss, seed=3) as air:
            one, other = air.radio(), air.radio()
            for _ in range(20):  # a request to connect may be lost as well
                one.connect(other.address)
                air.dispatcher.run_for(1.0)
            frames = [n.to_bytes(2, "big") * 100 for n in range(80)]
            begun = air.dispatcher.time()
            assert one.send_frames([other.address], frames) == []
            air.dispatcher.run_for(60.0)
            assert [data for _, data in other.got] == frames
            assert one.lost == other.lost == []
            taken[loss] = other.got[-1][0] - begun
    # Each frame is one packet of the link layer, and is repeated p / (1 - p) times on average, an interval each.
    assert taken[0.2] - taken[0.0] == pytest.approx(80 * 0.25 * 0.03, rel=0.5)
    assert taken[0.5] - taken[0.0] == pytest.approx(80 * 1.0 * 0.03, rel=0.5)


def test_advertisements_that_are_lost_are_not_heard() -> None:
    with an_air(connection_interval=0.03, loss=0.3, seed=1) as air:
        one, _ = air.radio(), air.radio()
        air.dispatcher.run_for(100.0)
        assert 600 < len(one.heard) < 760  # of 952


def test_a_link_ends_when_everything_is_lost_for_the_supervision_timeout() -> None:
    """The formula against a play of single connection events."""
    timing = Timing(frame_time=0.0, connection_interval=0.05, supervision_timeout=0.2, loss=0.5)
    rng = random.Random(1)

    def played() -> float:
        run = events = 0
        while run < 4:
            run = run + 1 if rng.random() < 0.5 else 0
            events += 1
        return events * 0.05

    drawn = [timing.lifetime(rng) - timing.supervision_timeout for _ in range(4000)]
    assert statistics.mean(drawn) == pytest.approx(statistics.mean(played() for _ in range(4000)), rel=0.1)
    assert Timing(0.0, 0.05, 0.4, 0.0).lifetime(rng) == math.inf
    assert Timing(0.0, 0.05, 0.4, 0.1).lifetime(rng) > 3600.0


def test_a_radio_that_loses_most_loses_its_links_at_both_ends() -> None:
    with an_air(connection_interval=0.05, supervision_timeout=0.2, loss=0.5, seed=2) as air:
        one, other = air.radio(), air.radio()
        for _ in range(200):
            one.connect(other.address)
            air.dispatcher.run_for(1.0)
        assert len(one.lost) > 20
        assert abs(len(one.lost) - len(other.lost)) <= 1
        assert one.failed  # some were never made


@pytest.mark.parametrize("options", [{"loss": 1.0}, {"loss": -0.1, "connection_interval": 0.05}, {"loss": 0.1}])
def test_nonsense_is_refused_by_name(options: dict[str, float]) -> None:
    with pytest.raises(InvalidOptionError, match="loss"):
        VirtualAir(**options)  # type: ignore[arg-type]
    with an_air() as air, pytest.raises(InvalidOptionError, match="throughput"):
        MockBLEDriver(air.air, throughput=0.0)
