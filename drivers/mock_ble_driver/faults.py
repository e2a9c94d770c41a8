"""What goes wrong on the air, by name, by step, and by the seed of the air."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum


class Step(Enum):
    """How far a central has come with a link (PROTOCOL.md, Link set-up).

    A fault strikes before the step is done; so what is to strike after one strikes before the next.
    """

    CONNECT = "connect"
    MTU = "mtu"
    DISCOVERY = "discovery"
    IDENTITY = "identity"
    SUBSCRIBE = "subscribe"
    #: The peripheral knows of the link, and the central does not yet.
    SUBSCRIBED = "subscribed"
    #: The link is up at both ends, and this is its first frame.
    HANDSHAKE = "handshake"
    #: The handshake has arrived, and the central is not told so.
    ACKNOWLEDGE = "acknowledge"
    #: A later write request.
    WRITE = "write"


class Fault(Enum):
    """What happens instead of a step."""

    #: The peer says no, and the link is ended in good order.
    REFUSE = "refuse"
    #: Nothing happens any more, and nobody says so.
    HANG = "hang"
    #: The radio link breaks.
    DROP = "drop"


@dataclass(frozen=True)
class _Rule:
    fault: Fault
    step: Step
    address: str | None
    probability: float


class Faults:
    """Which faults strike where.

    Args:
        rng: decides whether a fault strikes that is not certain.

    Attributes:
        struck: how many faults struck.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._rules: list[_Rule] = []
        self.struck = 0

    def add(self, fault: Fault, step: Step, *, address: str | None = None, probability: float = 1.0) -> None:
        """Let a fault strike from now on.

        Args:
            fault: what happens.
            step: what does not happen.
            address: only at links that are dialled to this address; None for all.
            probability: from 0 to 1.
        """
        self._rules.append(_Rule(fault, step, address, probability))

    def clear(self) -> None:
        """Let no fault strike any more."""
        self._rules.clear()

    def draw(self, step: Step, address: str) -> Fault | None:
        """Return what strikes at this step of a link that is dialled to `address`."""
        for rule in self._rules:
            if rule.step is step and rule.address in (None, address) and self._rng.random() < rule.probability:
                self.struck += 1
                return rule.fault
        return None
