"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """How bad it is."""

    OK = "ok"
    #: Something does not work as well as it could, or only some people need it.
    WARNING = "warning"
    FAILED = "failed"
    #: It could not be looked at, because of something that another check names.
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """What one check says.

    Attributes:
        status: how bad it is.
        detail: what is so and, if it is not as it should be, why that matters.
        remedy: the command that mends it; None if nothing is to be mended.
    """

    status: Status
    detail: str
    remedy: str | None = None


def ok(detail: str) -> Finding:
    return Finding(Status.OK, detail)


def warning(detail: str, remedy: str | None) -> Finding:
    return Finding(Status.WARNING, detail, remedy)


def failed(detail: str, remedy: str) -> Finding:
    return Finding(Status.FAILED, detail, remedy)


def skipped(because: str) -> Finding:
    return Finding(Status.SKIPPED, f"not looked at: {because}")
