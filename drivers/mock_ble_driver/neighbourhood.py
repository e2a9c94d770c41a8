"""Who hears whom. Nodes lie in the cells of a grid, so that only those nearby are asked."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Generic, Protocol, TypeVar

from .propagation import Propagation

Cell = tuple[int, int]


class Placed(Protocol):
    """What the neighbourhood knows of a node."""

    number: int
    position: tuple[float, float]  # metres
    tx_power: float  # dBm


P = TypeVar("P", bound=Placed)


@dataclass(slots=True)
class Hearing:
    """That one node hears another.

    Attributes:
        rssi: how well, in dBm.
        reported: when its radio last said so, in seconds.
    """

    rssi: int
    reported: float = -math.inf


@dataclass(slots=True)
class Audience(Generic[P]):
    """Those that hear one node.

    Attributes:
        hearings: how each of them does; first those that were told longest ago, so that only those are looked at.
        quiet_until: before this time none of them has to be told again.
    """

    hearings: OrderedDict[P, Hearing] = field(default_factory=OrderedDict)
    quiet_until: float = -math.inf

    def add(self, receiver: P, rssi: int) -> None:
        """One more hears."""
        self.hearings[receiver] = Hearing(rssi)
        self.renew(receiver)

    def renew(self, receiver: P) -> None:
        """What is sent is new to a receiver, if it hears it."""
        if (hearing := self.hearings.get(receiver)) is not None:
            hearing.reported = self.quiet_until = -math.inf
            self.hearings.move_to_end(receiver, last=False)

    def renew_all(self) -> None:
        """What is sent is new to all."""
        for hearing in self.hearings.values():
            hearing.reported = self.quiet_until = -math.inf

    def told_before(self, moment: float) -> list[tuple[P, Hearing]]:
        """Return those that were last told at that moment or before."""
        return list(takewhile(lambda entry: entry[1].reported <= moment, self.hearings.items()))

    def tell(self, receiver: P, now: float) -> None:
        """A receiver is told now, if it still hears."""
        if (hearing := self.hearings.get(receiver)) is not None:
            hearing.reported = now
            self.hearings.move_to_end(receiver)

    def stay_quiet(self, seconds: float) -> None:
        """Nobody has to be told again so soon."""
        first = next(iter(self.hearings.values()), None)
        self.quiet_until = first.reported + seconds if first is not None else math.inf


class Neighbourhood(Generic[P]):
    """The nodes that are switched on, and for each of them who hears it.

    Args:
        propagation: the radio model.
        seed: of the shadowing.
    """

    def __init__(self, propagation: Propagation, seed: int) -> None:
        self._propagation = propagation
        self._seed = seed
        self._side = propagation.reach()
        self._farthest = 1  # cells that anybody can be heard over
        # In order of entry, and never a set: whoever asks twice, in whichever process, gets the same order.
        self._cells: dict[Cell, dict[P, None]] = {}
        self._audiences: dict[P, Audience[P]] = {}

    def enter(self, node: P) -> None:
        """A node was switched on, or has come to another place."""
        self._farthest = max(self._farthest, math.ceil(self._propagation.reach(node.tx_power) / self._side))
        self._audiences[node] = Audience()
        for other in self._around(node):
            loss = self._loss(node, other)
            self._note(node, other, loss)
            self._note(other, node, loss)
        self._cells.setdefault(self._cell(node), {})[node] = None

    def leave(self, node: P) -> None:
        """A node was switched off, or is about to go to another place."""
        cell = self._cell(node)
        del self._cells[cell][node], self._audiences[node]
        if not self._cells[cell]:
            del self._cells[cell]
        for other in self._around(node):
            self._audiences[other].hearings.pop(node, None)

    def audience(self, node: P) -> Audience[P]:
        """Return the nodes that hear one that is switched on."""
        return self._audiences[node]

    def sender_changed(self, node: P) -> None:
        """What a node sends is new to all that hear it."""
        if (audience := self._audiences.get(node)) is not None:
            audience.renew_all()

    def receiver_forgot(self, node: P) -> None:
        """All that a node hears is new to it."""
        for other in self._around(node):
            self._audiences[other].renew(node)

    def _loss(self, one: P, other: P) -> float:
        """Return how many dB are lost between two nodes, either way."""
        shadow = self._propagation.shadow(self._seed, one.number, other.number)
        return -self._propagation.rssi(math.dist(one.position, other.position), shadow)

    def _note(self, sender: P, receiver: P, loss: float) -> None:
        rssi = sender.tx_power - loss
        if rssi >= self._propagation.sensitivity:
            self._audiences[sender].add(receiver, round(rssi))

    def _around(self, node: P) -> Iterator[P]:
        """All nodes that `node` may be heard by, or hear."""
        x, y = self._cell(node)
        reach = range(-self._farthest, self._farthest + 1)
        for dx in reach:
            for dy in reach:
                yield from self._cells.get((x + dx, y + dy), ())

    def _cell(self, node: P) -> Cell:
        x, y = node.position
        return math.floor(x / self._side), math.floor(y / self._side)
