"""What became of a mesh: figures, and where its nodes and links are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .mail import Mail
from .scenario import Scenario
from .station import Station


@dataclass(frozen=True)
class Cost:
    """What a run took; the only part of its outcome that differs from run to run.

    Attributes:
        wall_seconds, cpu_seconds: how long it took, and how long it computed.
        peak_memory: bytes of the process, at most.
        memory_per_node: bytes by which that has grown, for each node.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_memory: int
    memory_per_node: int


@dataclass(frozen=True)
class Outcome:
    """The figures of a run.

    Attributes:
        scenario: what was run.
        on: nodes that are switched on at the end.
        links: links between them at the end.
        alone: nodes that are switched on and have no link.
        parts: how many nodes are in each part of the mesh, the largest first.
        time_to_link_p50, time_to_link_p99: seconds from switching a node on to its first peer; None if none had one.
        sent: packets that were sent to a peer that had a link.
        delivered: those that arrived, whole and once, where they belong.
        wrong: packets that arrived twice, broken or elsewhere: always 0.
        dropped: frames and packets that interfaces dropped, by reason.
        positions: metres, of each node.
        edges: pairs of nodes that are linked.
        cost: what the run took.
    """

    scenario: Scenario
    on: int
    links: int
    alone: int
    parts: tuple[int, ...]
    time_to_link_p50: float | None
    time_to_link_p99: float | None
    sent: int
    delivered: int
    wrong: int
    dropped: dict[str, int]
    positions: tuple[tuple[float, float], ...]
    edges: tuple[tuple[int, int], ...]
    cost: Cost

    @property
    def delivery_ratio(self) -> float:
        """Delivered packets as a share of those that were sent."""
        return self.delivered / self.sent if self.sent else 1.0

    def figures(self) -> dict[str, Any]:
        """Return the figures as plain values for JSON; without positions and edges."""
        values = asdict(self)
        del values["positions"], values["edges"]
        return {**values, "delivery_ratio": round(self.delivery_ratio, 6)}


def outcome_of(scenario: Scenario, stations: Sequence[Station], mail: Mail, cost: Cost) -> Outcome:
    """Return what there is to tell of a mesh now."""
    numbers = {station.identity: station.number for station in stations}
    dropped: Counter[str] = Counter()
    edges: set[tuple[int, int]] = set()
    for station in stations:
        dropped.update(station.dropped())
        for peer in station.interface.peers:
            one, other = station.number, numbers[peer.identity]
            edges.add((min(one, other), max(one, other)))
    waits = sorted(wait for station in stations for wait in station.waits)
    linked = {number for edge in edges for number in edge}
    on = [station.number for station in stations if station.is_on]
    return Outcome(
        scenario=scenario,
        on=len(on),
        links=len(edges),
        alone=sum(number not in linked for number in on),
        parts=parts_of(on, edges),
        time_to_link_p50=percentile(waits, 0.5),
        time_to_link_p99=percentile(waits, 0.99),
        sent=mail.counts["sent"],
        delivered=mail.counts["delivered"],
        wrong=mail.counts["wrong"],
        dropped=dict(sorted(dropped.items())),
        positions=tuple(station.driver.position for station in stations),
        edges=tuple(sorted(edges)),
        cost=cost,
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value that this share of all does not exceed, by nearest rank; None if there are none."""
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3) if ordered else None


def parts_of(nodes: Iterable[int], edges: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """Return the sizes of the parts of a graph that have no link between them, the largest first."""
    leader = {node: node for node in nodes}

    def find(node: int) -> int:
        while leader.setdefault(node, node) != node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    for one, other in edges:
        leader[find(one)] = find(other)
    return tuple(sorted(Counter(find(node) for node in list(leader)).values(), reverse=True))
