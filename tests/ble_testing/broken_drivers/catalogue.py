"""Which broken driver is found out by which test."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.mock_rigs import SwitchedMockDriver

#: Name of each broken driver: its class, and the test of the suite that it must not get past.
BROKEN: dict[str, tuple[type[SwitchedMockDriver], str]] = {}


def caught_by(test: str) -> Callable[[type[SwitchedMockDriver]], type[SwitchedMockDriver]]:
    """Enter a class into `BROKEN`."""

    def enter(cls: type[SwitchedMockDriver]) -> type[SwitchedMockDriver]:
        BROKEN[cls.__name__] = cls, test
        return cls

    return enter
