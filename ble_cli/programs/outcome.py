"""How a program ended, in words and as an exit code.

0: it did what it is for. 1: it did not, and says why. 2: the command line makes no sense. 128 + n: ended by signal n
before it was done, so 130 for Ctrl-C and 143 for SIGTERM.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .inbox import Interrupted


@dataclass(frozen=True)
class Outcome:
    """The end: whether all is well, and why.

    Attributes:
        details: what a program may want to know besides.
    """

    ok: bool
    reason: str
    exit_code: int = field(kw_only=True)
    details: dict[str, object] = field(default_factory=dict)


def success(reason: str, **details: object) -> Outcome:
    return Outcome(True, reason, exit_code=0, details=details)


def failure(reason: str, **details: object) -> Outcome:
    return Outcome(False, reason, exit_code=1, details=details)


def interruption(error: Interrupted) -> Outcome:
    return Outcome(False, str(error), exit_code=128 + error.signum)
