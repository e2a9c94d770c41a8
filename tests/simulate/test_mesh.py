"""Small meshes, run to their end."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from ble_interface.simulate import Outcome, Scenario, ScenarioError, draw, simulate
from ble_interface.simulate.mail import Mail
from ble_interface.simulate.mesh import side_for
from ble_interface.simulate.outcome import parts_of, percentile
from ble_interface.simulate.report import summary, sweep_summary
from ble_interface.simulate.scenario import NEIGHBOURS
from ble_interface.simulate.station import MAX_CONNECTIONS
from drivers.mock_ble_driver import Propagation


@pytest.fixture(scope="module")
def calm() -> Outcome:
    """A mesh in which nothing goes wrong."""
    return simulate(Scenario(nodes=40, minutes=4, seed=5))


@pytest.fixture(scope="module")
def rough() -> Outcome:
    """One whose radio loses packets and whose nodes come and go."""
    return simulate(Scenario(nodes=40, minutes=8, seed=5, churn=20, loss=0.2))


def test_a_calm_mesh_links_at_once_and_delivers_everything(calm: Outcome) -> None:
    assert (calm.on, calm.alone, calm.parts) == (40, 0, (40,))
    assert calm.time_to_link_p50 is not None
    assert calm.time_to_link_p50 < 5.0
    assert calm.sent == calm.delivered > 500
    assert (calm.wrong, calm.dropped, calm.delivery_ratio) == (0, {}, 1.0)
    degrees = [sum(number in edge for edge in calm.edges) for number in range(40)]
    assert max(degrees) <= MAX_CONNECTIONS
    assert calm.links == len(calm.edges) == sum(degrees) / 2


def test_a_rough_mesh_costs_time_and_some_packets_of_links_that_broke(rough: Outcome) -> None:
    assert rough.on < 40
    assert rough.parts[0] >= 0.7 * rough.on
    assert rough.wrong == 0
    assert 0.9 < rough.delivery_ratio < 1.0
    assert rough.sent > 500


def test_the_same_scenario_has_the_same_outcome_and_another_seed_another(rough: Outcome) -> None:
    again = simulate(rough.scenario)
    assert replace(again, cost=rough.cost) == rough
    other = simulate(replace(rough.scenario, minutes=2, seed=6))
    assert other.positions != rough.positions


def test_progress_goes_up_to_one() -> None:
    seen: list[float] = []
    simulate(Scenario(nodes=3, minutes=0.5), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) >= 30


@pytest.mark.parametrize("nodes", [2, 10, 50, 1000])
def test_meshes_of_any_size_are_equally_dense(nodes: int) -> None:
    side, reach = side_for(nodes, Propagation(shadowing=4.0)), Propagation().reach()
    chance = random.Random(1)
    pairs = [[(chance.uniform(0, side), chance.uniform(0, side)) for _ in range(2)] for _ in range(20_000)]
    near = sum(math.dist(*pair) <= reach for pair in pairs) / len(pairs) * (nodes - 1)
    assert near == pytest.approx(min(NEIGHBOURS, nodes - 1), rel=0.15)


# --- what is told of it -----------------------------------------------------------------------------------------------


def test_the_picture_shows_every_node_and_every_link(calm: Outcome) -> None:
    lonely = replace(calm, edges=tuple(edge for edge in calm.edges if 0 not in edge))
    for outcome in (calm, lonely):
        root = ElementTree.fromstring(draw(outcome))
        tag = "{http://www.w3.org/2000/svg}"
        groups = root.findall(f"{tag}g")
        circles = [circle for group in groups for circle in group]
        assert len(circles) == 40
        assert root.findall(f"{tag}path")[0].attrib["d"].count("M") == len(outcome.edges)
        width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
        assert all(0 < float(c.attrib["cx"]) < width and 0 < float(c.attrib["cy"]) < height for c in circles)
    assert len(groups[0]) == 1  # the node without a link has a colour of its own
    assert groups[0].attrib["fill"] not in {group.attrib["fill"] for group in groups[1:]}


def test_the_summary_has_every_figure(rough: Outcome) -> None:
    text = summary(rough)
    for part in ("40 nodes", "links", "p50", "p99", f"{rough.sent} sent", "wrong", "dropped", "KiB for each node"):
        assert part in text
    assert "median" in sweep_summary([rough, rough])
    figures = json.loads(json.dumps(rough.figures()))
    assert figures["delivered"] == rough.delivered
    assert "edges" not in figures


def test_figures_of_nothing_are_no_errors(calm: Outcome) -> None:
    empty = replace(calm, sent=0, delivered=0, parts=(), on=0, edges=(), time_to_link_p50=None, time_to_link_p99=None)
    assert "unknown" in summary(empty)
    assert percentile([], 0.5) is None
    assert [percentile(range(1, 101), share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert parts_of([1, 2, 3, 4, 5], [(1, 2), (4, 5), (2, 1)]) == (2, 2, 1)


# --- packets ----------------------------------------------------------------------------------------------------------


def test_what_was_not_sent_so_counts_as_wrong() -> None:
    mail = Mail()
    packets = [mail.write(b"a", b"b", 30) for _ in range(4)]
    assert len(set(packets)) == 4
    first, second, third, fourth = (packet for packet in packets if packet is not None)
    mail.arrived(first, b"a", b"b")
    mail.arrived(first, b"a", b"b")  # twice
    mail.arrived(second, b"a", b"c")  # elsewhere
    mail.arrived(third[:-1], b"a", b"b")  # broken
    mail.unsent(fourth)
    mail.open = False
    assert mail.write(b"a", b"b", 30) is None
    assert dict(mail.counts) == {"sent": 3, "delivered": 1, "wrong": 3}


@pytest.mark.parametrize(
    ("values", "name"),
    [({"nodes": 1}, "nodes"), ({"minutes": math.nan}, "minutes"), ({"seed": -1}, "seed"), ({"churn": 61}, "churn"),
     ({"loss": 1.0}, "loss")],
)  # fmt: skip
def test_a_scenario_that_makes_no_sense_is_refused_by_name(values: dict[str, float], name: str) -> None:
    with pytest.raises(ScenarioError, match=f"{name} must be from"):
        Scenario(**values)  # type: ignore[arg-type]
