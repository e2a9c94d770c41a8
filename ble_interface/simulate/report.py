"""Outcomes in words for people, and as JSON for machines."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence

from .outcome import Outcome

#: What a sweep tells of all its runs together.
SWEPT: dict[str, Callable[[Outcome], float | None]] = {
    "links": lambda outcome: outcome.links,
    "nodes without a link": lambda outcome: outcome.alone,
    "largest part, nodes": lambda outcome: outcome.parts[0] if outcome.parts else 0,
    "time to link p50, s": lambda outcome: outcome.time_to_link_p50,
    "time to link p99, s": lambda outcome: outcome.time_to_link_p99,
    "delivery ratio": lambda outcome: outcome.delivery_ratio,
    "wrong packets": lambda outcome: outcome.wrong,
    "computed for, s": lambda outcome: outcome.cost.cpu_seconds,
}


def summary(outcome: Outcome) -> str:
    """Return the figures of one run, a line for each."""
    scenario, cost = outcome.scenario, outcome.cost
    lines = {
        "scenario": f"{scenario.nodes} nodes, {scenario.minutes:g} minutes, seed {scenario.seed}, "
        f"churn {scenario.churn:g} an hour, loss {scenario.loss:g}",
        "nodes": f"{outcome.on} on at the end, {outcome.alone} of them without a link",
        "links": f"{outcome.links}, {2 * outcome.links / max(outcome.on, 1):.1f} for each node",
        "parts": f"{len(outcome.parts)}; the largest has {outcome.parts[0] if outcome.parts else 0} nodes",
        "time to link": f"p50 {_seconds(outcome.time_to_link_p50)}, p99 {_seconds(outcome.time_to_link_p99)}",
        "packets": f"{outcome.sent} sent over live links, {outcome.delivered} delivered: {outcome.delivery_ratio:.4%}",
        "wrong": f"{outcome.wrong} repeated, broken or misdelivered",
        "dropped": ", ".join(f"{reason} {count}" for reason, count in outcome.dropped.items()) or "nothing",
        "memory": f"{cost.peak_memory / 2**20:.0f} MiB in all, {cost.memory_per_node / 2**10:.0f} KiB for each node",
        "took": f"{cost.wall_seconds:.0f} s, {cost.cpu_seconds:.0f} s of computing: "
        f"{cost.cpu_seconds / (scenario.nodes * scenario.minutes * 60.0) * 1e6:.0f} µs for a node and second",
    }
    return "\n".join(f"{name:<13}{text}" for name, text in lines.items())


def sweep_summary(outcomes: Sequence[Outcome]) -> str:
    """Return what several runs have in common: of each figure the least, the median and the most."""
    lines = [f"{len(outcomes)} runs{'least':>31}{'median':>12}{'most':>12}"]
    for name, figure in SWEPT.items():
        values = [value for outcome in outcomes if (value := figure(outcome)) is not None]
        if values:
            low, middle, high = min(values), statistics.median(values), max(values)
            lines.append(f"{name:<26}{low:>12.6g}{middle:>12.6g}{high:>12.6g}")
    return "\n".join(lines)


def as_json(outcomes: Sequence[Outcome]) -> str:
    """Return one line of JSON for each run."""
    return "\n".join(json.dumps(outcome.figures()) for outcome in outcomes)


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} s"
