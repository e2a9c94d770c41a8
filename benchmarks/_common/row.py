"""One line of the table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .timing import Figure


@dataclass(frozen=True)
class Row:
    """What was measured, and against what.

    Attributes:
        subject: the benchmark.
        what: what ran.
        figure: what it took or reached on this machine.
        unit: of the figure.
        relative: the same as a figure that does not depend on the machine: a ratio or a count.
        against: what that is a ratio to, or a count of.
        limit: what `relative` must not exceed; None if nothing was asked for.
    """

    subject: str
    what: str
    figure: Figure
    unit: str
    relative: float
    against: str
    limit: float | None = None

    @property
    def is_within(self) -> bool:
        """Whether the limit is kept."""
        return self.limit is None or self.relative <= self.limit

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the line."""
        limit = "" if self.limit is None else f"≤ {number(self.limit)}{'' if self.is_within else ' !'}"
        figure, spread = f"{number(self.figure.median)} {self.unit}", f"±{self.figure.spread:.0%}"
        return (self.subject, self.what, figure, spread, number(self.relative), self.against, limit)

    def as_json(self) -> dict[str, Any]:
        """Return the line for a machine."""
        return {**asdict(self), "is_within": self.is_within}


HEADINGS = ("benchmark", "what ran", "here", "spread", "relative", "to what", "limit")


def number(value: float) -> str:
    """Return a number with three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"
