"""What is seen by looking again and again: rates, courses, and changes. Handed statuses and the time; no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: How many looks a course holds, and how many changes are kept.
COURSE, CHANGES = 20, 100

Status = Mapping[str, Any]


@dataclass
class PeerHistory:
    """The course of one peer: `rssi` in dBm, `rates` in bytes per second, both ways together."""

    rssi: deque[float | None] = field(default_factory=lambda: deque(maxlen=COURSE))
    rates: deque[float | None] = field(default_factory=lambda: deque(maxlen=COURSE))
    rx_rate: float = 0.0
    tx_rate: float = 0.0


class History:
    """What became of the nodes since the first look.

    Attributes:
        peers: the course of each peer that is there, by node and identity.
        changes: the latest, each with its time.
    """

    def __init__(self) -> None:
        self.peers: dict[tuple[str, str], PeerHistory] = {}
        self.changes: deque[tuple[float, str]] = deque(maxlen=CHANGES)
        self._nodes: dict[str, Status] = {}
        self._looked: float | None = None

    def look(self, nodes: Mapping[str, Status], now: float) -> list[str]:
        """Take one look at all nodes, each by a key that stays the same; return what has changed since the last."""
        changes: list[str] = []
        if self._looked is not None:
            for key in {**self._nodes, **nodes}:
                changes += _node_changes(self._nodes.get(key), nodes.get(key))
        seconds = now - self._looked if self._looked is not None else None
        courses = {}
        for key, node in nodes.items():
            before = {peer["identity"]: peer for peer in self._nodes.get(key, {"peers": ()})["peers"]}
            for peer in node["peers"]:
                course = self.peers.get((key, peer["identity"]), PeerHistory())
                courses[key, peer["identity"]] = course
                _go_on(course, before.get(peer["identity"]), peer, seconds)
        self.peers, self._nodes, self._looked = courses, dict(nodes), now
        self.changes.extend((now, change) for change in changes)
        return changes


def _go_on(course: PeerHistory, before: Status | None, peer: Status, seconds: float | None) -> None:
    course.rssi.append(peer["rssi"])
    if before is None or not seconds:
        course.rates.append(None)
        return
    course.rx_rate = max(0.0, (peer["rx_bytes"] - before["rx_bytes"]) / seconds)
    course.tx_rate = max(0.0, (peer["tx_bytes"] - before["tx_bytes"]) / seconds)
    course.rates.append(course.rx_rate + course.tx_rate)


def _node_changes(before: Status | None, after: Status | None) -> list[str]:
    if before is None and after is not None:
        return [f"{after['name']} has come up"]
    if before is not None and after is None:
        return [f"{before['name']} is gone"]
    assert before is not None
    assert after is not None
    changes: list[str] = []
    name = after["name"]
    old = {peer["identity"]: peer for peer in before["peers"]}
    new = {peer["identity"]: peer for peer in after["peers"]}
    for identity, peer in new.items():
        if identity not in old:
            changes.append(f"{name}: {identity[:8]} is linked at {peer['address']}, we are {peer['role']}")
        else:
            changes += _peer_changes(f"{name}: {identity[:8]}", old[identity], peer)
    changes += [f"{name}: the link to {identity[:8]} is gone" for identity in old if identity not in new]
    if (failed := after["failed_dials"] - before["failed_dials"]) > 0:
        changes.append(f"{name}: {failed} attempt{'s' if failed > 1 else ''} to connect failed")
    lost = sum(after["totals"]["dropped"].values()) - sum(before["totals"]["dropped"].values())
    if lost > 0:
        changes.append(f"{name}: {lost} dropped")
    return changes


def _peer_changes(who: str, before: Status, after: Status) -> list[str]:
    words = {"address": "is at", "role": "has us as", "state": "is now", "mtu": "has the ATT MTU"}
    return [f"{who} {text} {after[key]}" for key, text in words.items() if before[key] != after[key]]
