"""What a scenario is: an async function with a name, on a rig."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .rig import Rig

Body = Callable[[Rig], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """One scenario.

    Attributes:
        name: what it is called in reports.
        guests: how many guests it uses at most; those that need fewer run first.
        timeout: seconds that it may take, the boot of its guests included.
        roots: on which it runs unless everything is to run on all; None is all, and an empty one is by name only.
        only: on which it can run; None is all.
        alone: it measures, so that nothing else may run meanwhile.
    """

    name: str
    body: Body
    guests: int
    timeout: float
    roots: tuple[str, ...] | None
    only: tuple[str, ...] | None
    alone: bool

    def runs_on(self, root: str, everything: bool) -> bool:
        """Whether it is to run on this root; everything means on all on which it can."""
        wanted = self.only if everything or self.roots is None else self.roots
        return wanted is None or root in wanted


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    *,
    guests: int,
    timeout: float = 240.0,
    on: tuple[str, ...] | None = None,
    only: tuple[str, ...] | None = None,
    alone: bool = False,
) -> Callable[[Body], Body]:
    """Make a scenario of an async function; its name is the function's. See `Scenario`, `on` is its `roots`."""

    def register(body: Body) -> Body:
        name = getattr(body, "__name__", str(body))
        assert name not in SCENARIOS, f"two scenarios are called {name}"
        SCENARIOS[name] = Scenario(name, body, guests, timeout, on, only, alone)
        return body

    return register


def expect(condition: object, message: str) -> None:
    """Fail the scenario with a message unless the condition holds; unlike `assert`, also under ``python -O``."""
    if not condition:
        raise AssertionError(message)
