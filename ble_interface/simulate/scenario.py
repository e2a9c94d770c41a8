"""What is simulated: few numbers, checked when they are given."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import BLEInterfaceError

#: How many nodes hear one on average, but for walls: more than have a place, so that some must be refused.
NEIGHBOURS = 12


class ScenarioError(BLEInterfaceError, ValueError):
    """A scenario that cannot be simulated; the message says which value must change."""


@dataclass(frozen=True)
class Scenario:
    """A mesh and what happens to it.

    Attributes:
        nodes: how many there are.
        minutes: of virtual time.
        seed: of everything that happens by chance. Same scenario, same run.
        churn: how many times an hour each node is switched off, or vanishes, for a minute or so.
        loss: how likely one transmission of the radio is lost, from 0 to 0.9.

    Raises:
        ScenarioError: a value is out of range.
    """

    nodes: int = 100
    minutes: float = 10.0
    seed: int = 1
    churn: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        _check("nodes", self.nodes, 2, 100_000)
        _check("minutes", self.minutes, 0.1, 100_000)
        _check("seed", self.seed, 0, 2**63 - 1)
        _check("churn", self.churn, 0, 60)
        _check("loss", self.loss, 0, 0.9)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ScenarioError(f"{name} must be from {low:g} to {high:g}, not {value:g}")
