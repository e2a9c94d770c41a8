"""All links of one node, and the rule that one identity has one of them (PROTOCOL.md, Who dials).

A plain class that is handed events and the time, and answers with what is to be done.

An identity is 16 bytes that anybody can say. So the first link that says them, once it is ACTIVE, is disturbed by no
other: a newcomer does not get its packets, its MTU or its place before it has ended or has failed the liveness check:
silent for 45 s, or a PING unanswered by a peer that has sent one. That we have read the bytes from a peer that we
dialled proves no more than that it has written them: both are claims.

And yet two nodes that dial each other at the same moment must keep the same one of their two links. Let A have dialled
L1 and B have dialled L2. A link is ACTIVE at the node that dialled it at once, and at the other when the handshake
arrives there, so there are three cases, and in none does anybody act on a claim alone:

* One of them is ACTIVE at both ends before the other is at either. To both ends the other is the newcomer, and it ends.
* The handshakes cross: each end has its own. By the rule of the protocol (the larger ATT MTU; if equal, the one whose
  central has the lower identity) the newcomer is the loser at one end, and this end ends it at once. At the other end
  the newcomer is the winner and WAITING: what arrives on it is held back, nothing is sent. In a moment the link that it
  waits for is ended by its peer, and it takes over with what was held back: the peer, the packets that wait for it and
  the stack above notice nothing. What was on its way on the loser is lost.
* The other end is another implementation, which keeps the winner as it pleases: it sends on the winner and drains the
  loser for 10 s. We send on the loser, hold back what comes on the winner, and take over when the loser is closed.

Whoever merely claims an identity is at the worst WAITING for 15 s, and then ended. What has been lost by it is a place;
and only half of the places are given to links of which nothing is known (and one at least).

A peer whose address has changed is a newcomer too. It takes over when its old link ends or fails the check: from that
moment the old link is DRAINING, it gets nothing more, what arrives on it is taken for 10 s, and then it is closed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from ble_driver import Role

from .gatt import HANDSHAKE_TIMEOUT
from .peer_link import SILENCE_LIMIT, WAIT_TIME, PeerLink
from .states import ConnectionState as State


@dataclass(frozen=True)
class Adopt:
    """The link is ACTIVE now: it carries the packets of its identity."""

    link: PeerLink


@dataclass(frozen=True)
class Part:
    """The link was ACTIVE, and its identity has no link any more."""

    link: PeerLink


@dataclass(frozen=True)
class End:
    """The driver is to end the link."""

    link: PeerLink
    why: str


@dataclass(frozen=True)
class Send:
    """A frame without data is to be sent."""

    link: PeerLink
    frame: bytes


@dataclass(frozen=True)
class Reconcile:
    """The driver has not said what became of this attempt, or of this link that it was to end: ask it."""

    link: PeerLink


Action: TypeAlias = Adopt | Part | End | Send | Reconcile


class LinkTable:
    """The links of one node.

    Args:
        identity: our own 16 bytes.
        max_links: how many links and attempts there may be.
        max_packet: bytes of the largest packet that a link puts together.
        dropped: where links that belong to no peer count what they drop.

    Attributes:
        links: every link and attempt by address.
    """

    def __init__(self, identity: bytes, max_links: int, max_packet: int, dropped: Counter[str]) -> None:
        self.links: dict[str, PeerLink] = {}
        self._identity = identity
        self._max_links = max_links
        self._max_packet = max_packet
        self._dropped = dropped
        self._active: dict[bytes, PeerLink] = {}
        self._waiting: dict[bytes, PeerLink] = {}

    @property
    def free(self) -> int:
        """How many places are left for links and attempts."""
        return max(self._max_links - len(self.links), 0)

    def active(self, identity: bytes) -> PeerLink | None:
        """Return the link that carries the packets of an identity."""
        return self._active.get(identity)

    # --- attempts -----------------------------------------------------------------------------------------------------

    def dial(self, address: str, now: float) -> None:
        """An attempt begins and takes a place."""
        self.links[address] = PeerLink(address, self._max_packet, now, self._dropped)

    # --- links --------------------------------------------------------------------------------------------------------

    def came_up(self, address: str, role: Role, mtu: int, now: float) -> list[Action]:
        """The driver reports a link. One that is there already was reported twice: nothing changes."""
        link = self.links.get(address)
        if link is None:
            link = self.links[address] = PeerLink(address, self._max_packet, now, self._dropped)
        elif link.state is not State.DIALLING:
            return []
        link.came_up(role, mtu, now)
        if len(self.links) > self._max_links:
            return self.end(link, f"there are {self._max_links} links already", now)
        unproven = sum(other.state in (State.UNKNOWN, State.WAITING) for other in self.links.values())
        if role is Role.PERIPHERAL and unproven > (self._max_links + 1) // 2:
            return self.end(link, f"{unproven - 1} others have not told who they are yet", now)
        return []

    def identify(self, link: PeerLink, identity: bytes, now: float) -> list[Action]:
        """The peer of an UNKNOWN link says who it is."""
        link.identity = identity
        if identity == self._identity:
            return self.end(link, "it has our own identity", now)
        current = self._active.get(identity)
        if current is None:
            return self._adopt(link, now)
        if not current.is_live(now):
            current.move(State.DRAINING, now)
            return self._adopt(link, now)
        actions: list[Action] = []
        if current.probes:
            actions.append(Send(current, current.ping(now)))
        if link.role is Role.CENTRAL or identity in self._waiting or not self._may_replace(link, current):
            return actions + self.end(link, f"its identity {identity.hex()} has a live link", now)
        link.move(State.WAITING, now)
        self._waiting[identity] = link
        return actions

    def _may_replace(self, newcomer: PeerLink, current: PeerLink) -> bool:
        """Whether a newcomer has the better claim, should it be the same peer (see the top of this file)."""
        if newcomer.role is current.role:
            return True  # not dialled from both sides, but perhaps from another address than before
        if newcomer.mtu != current.mtu:
            return newcomer.mtu > current.mtu
        return self._central_of(newcomer) < self._central_of(current)

    def _central_of(self, link: PeerLink) -> bytes:
        return self._identity if link.role is Role.CENTRAL else link.identity or b""

    def _adopt(self, link: PeerLink, now: float) -> list[Action]:
        assert link.identity is not None
        link.move(State.ACTIVE, now)
        self._active[link.identity] = link
        return [Adopt(link)]

    def end(self, link: PeerLink, why: str, now: float) -> list[Action]:
        """Give up a link that is up; harmless if that was done before."""
        if link.state in (State.CLOSING, State.GONE):
            return []
        link.move(State.CLOSING, now)
        return [*self._release(link, now), End(link, why)]

    def closed(self, link: PeerLink, now: float) -> list[Action]:
        """A link, or an attempt, is gone."""
        if self.links.get(link.address) is not link:
            return []
        del self.links[link.address]
        link.move(State.GONE, now)
        return self._release(link, now)

    def _release(self, link: PeerLink, now: float) -> list[Action]:
        """Take from a link what it has of its identity; who waits for it takes over."""
        if link.identity is None:
            return []
        if self._waiting.get(link.identity) is link:
            del self._waiting[link.identity]
        if self._active.get(link.identity) is not link:
            return []
        del self._active[link.identity]
        successor = self._waiting.pop(link.identity, None)
        return self._adopt(successor, now) if successor is not None else [Part(link)]

    # --- time ---------------------------------------------------------------------------------------------------------

    def deadline(self, now: float) -> float:
        """Return the time at which `due` has something to do, infinite if never; it may be early."""
        return min((link.deadline(now) for link in self.links.values()), default=math.inf)

    def due(self, now: float) -> list[Action]:
        """Return what the passing of time calls for."""
        actions: list[Action] = []
        for link in list(self.links.values()):
            actions += self._due(link, now)
        return actions

    def _due(self, link: PeerLink, now: float) -> Iterable[Action]:
        if link.state is State.ACTIVE:
            return self._active_due(link, now)
        if now < link.deadline(now):
            return []
        match link.state:
            case State.UNKNOWN:
                return self.end(link, f"it did not tell its identity in {HANDSHAKE_TIMEOUT:g} s", now)
            case State.WAITING:
                return self.end(link, f"its identity still had a live link after {WAIT_TIME:g} s", now)
            case State.DRAINING:
                return self.end(link, "another link has taken over", now)
            case _:
                link.since = now  # to be asked again
                return [Reconcile(link)]

    def _active_due(self, link: PeerLink, now: float) -> Iterable[Action]:
        assert link.identity is not None
        link.reassembler.expire(now)
        if link.is_dead(now):
            return self.end(link, f"it has been silent for {SILENCE_LIMIT:g} s", now)
        if link.identity in self._waiting and not link.is_live(now):
            link.move(State.DRAINING, now)
            return self._adopt(self._waiting.pop(link.identity), now)
        frame = link.sign_of_life(now)
        return [Send(link, frame)] if frame is not None else []
