"""The lock of one device: who has it, who waits for it, and what each request does to that.

A plain class that is handed the time: no clock, no store, no I/O. A store loads it, lets one step change it, and keeps
what became of it, all in one transaction. So the rules stand here once, whatever the store.

The rules: a request of higher priority (a lower number) takes the lock from its holder, whose key is dead from then
on. Any other waits or is refused. Among those that wait, priority goes first, then who came first; a request that does
not wait is refused as well while somebody waits who goes before it. A waiting request is never given the lock: it
takes it, by asking again with its ticket. So a lock is not given to somebody who has gone away.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

from .errors import TooManyWaitersError
from .limits import MAX_WAITERS, WAITER_CONFIRMED_EVERY, WAITER_TTL
from .lock_type import LockType


class Action(str, Enum):
    """What happened to a lock."""

    ACQUIRED = "acquired"
    RELEASED = "released"
    FORCE_RELEASED = "force_released"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Moment:
    """When a step happens.

    Attributes:
        now: seconds by the store's clock, which leases are measured by.
        version: the number of this change, if the step makes one: more than that of any change before, on any device.
            It is the fencing number of a grant.
    """

    now: float
    version: int


@dataclass(frozen=True)
class Wish:
    """What a request asks for.

    Attributes:
        lock_type: what for.
        user_id: who asks.
        timeout: the lease in seconds.
        reason: why, for people.
        plan_uid: the plan that it belongs to, if any.
    """

    lock_type: LockType
    user_id: str
    timeout: float
    reason: str = ""
    plan_uid: str | None = None


@dataclass(frozen=True)
class Holder:
    """Who has the lock. The key itself is known to nobody but the holder."""

    wish: Wish
    key_digest: str
    fencing_number: int
    acquired_at: float
    expires_at: float


@dataclass(frozen=True)
class Waiter:
    """A request that waits. It is dropped at `alive_until` unless confirmed before: its service instance is gone."""

    ticket: str
    wish: Wish
    since: float
    alive_until: float


@dataclass(frozen=True)
class Happening:
    """Something that happened to a lock, and to whose.

    Attributes:
        action: what.
        fencing_number: of the lock that it happened to.
        wish: whose lock that is, or was.
        by: who released it by force.
        note: why it was released by force.
    """

    action: Action
    fencing_number: int
    wish: Wish
    by: str | None = None
    note: str | None = None


class Refusal(str, Enum):
    """Why a lock is not granted at once."""

    HELD = "held"  # by somebody of the same or a higher priority
    AWAITED = "awaited"  # by somebody who goes before


@dataclass(frozen=True)
class Refused:
    """The request was not granted, and does not wait."""

    why: Refusal


@dataclass(frozen=True)
class Waits:
    """The request waits; `before` others go before it."""

    why: Refusal
    before: int


@dataclass
class DeviceLock:
    """The state of one device. `changed`, `happenings` and `touched` tell what the steps since its making did to it.

    Attributes:
        device_name: which device.
        holder: who has the lock.
        waiters: who waits, in the order in which they may take it.
        changed: whether something changed that others are to know.
        touched: whether anything changed that must be kept.
        happenings: what to tell.
    """

    device_name: str
    holder: Holder | None = None
    waiters: tuple[Waiter, ...] = ()
    changed: bool = field(default=False, compare=False)
    touched: bool = field(default=False, compare=False)
    happenings: list[Happening] = field(default_factory=list, compare=False)

    # --- steps --------------------------------------------------------------------------------------------------------

    def settle(self, moment: Moment) -> None:
        """Drop what time has ended: the lease, and waiters whose instance is gone. Every other step begins so."""
        if self.holder is not None and self.holder.expires_at <= moment.now:
            self._end(Action.EXPIRED)
        alive = tuple(waiter for waiter in self.waiters if waiter.alive_until > moment.now)
        if alive != self.waiters:
            self._set_waiters(alive)

    def request(
        self, moment: Moment, wish: Wish, key_digest: str, ticket: str | None = None
    ) -> Holder | Waits | Refused:
        """Grant the lock if that may be.

        Args:
            moment: when.
            wish: what is asked for.
            key_digest: of the key that the holder is to have. If it has the lock already, that is granted again: the
                first answer was lost on its way.
            ticket: of a request that waits if it must; the same each time that it asks again. None: it does not wait.

        Raises:
            TooManyWaitersError: it would have to wait, and too many do.
        """
        self.settle(moment)
        if self.holder is not None and hmac.compare_digest(self.holder.key_digest, key_digest):
            return self.holder
        before = self._before(wish, ticket)
        if self.holder is not None and self.holder.wish.lock_type <= wish.lock_type:
            why = Refusal.HELD
        elif before:
            why = Refusal.AWAITED
        else:
            return self._grant(moment, wish, key_digest, ticket)
        if ticket is None:
            return Refused(why)
        self._wait(moment, wish, ticket, before)
        return Waits(why, before)

    def withdraw(self, moment: Moment, ticket: str) -> None:
        """Forget a waiting request; harmless if it does not wait."""
        self.settle(moment)
        rest = tuple(waiter for waiter in self.waiters if waiter.ticket != ticket)
        if rest != self.waiters:
            self._set_waiters(rest)

    def renew(self, moment: Moment, key_digest: str, timeout: float | None = None) -> Holder | None:
        """Begin the lease anew, with another length if one is given; None if the key is dead."""
        self.settle(moment)
        holder = self._held_by(key_digest)
        if holder is None:
            return None
        wish = holder.wish if timeout is None else replace(holder.wish, timeout=timeout)
        self.holder = replace(holder, wish=wish, expires_at=moment.now + wish.timeout)
        self.changed = self.touched = True
        return self.holder

    def release(self, moment: Moment, key_digest: str) -> Holder | None:
        """End the lock; return whose it was, None if the key is dead."""
        self.settle(moment)
        holder = self._held_by(key_digest)
        if holder is not None:
            self._end(Action.RELEASED)
        return holder

    def force_release(
        self, moment: Moment, by: str, note: str | None = None, fencing_number: int | None = None
    ) -> Holder | None:
        """End the lock without its key; return whose it was.

        Args:
            moment: when.
            by: who does it.
            note: why.
            fencing_number: only if the lock is still the one with this number; a person decides on what a page shows.
        """
        self.settle(moment)
        holder = self.holder
        if holder is None or fencing_number not in (None, holder.fencing_number):
            return None
        self._end(Action.FORCE_RELEASED, by, note)
        return holder

    # --- what there is to see -----------------------------------------------------------------------------------------

    @property
    def is_free(self) -> bool:
        """Whether there is nothing to remember."""
        return self.holder is None and not self.waiters

    @property
    def next_deadline(self) -> float:
        """When time changes this by itself."""
        times = [waiter.alive_until for waiter in self.waiters]
        if self.holder is not None:
            times.append(self.holder.expires_at)
        return min(times, default=float("inf"))

    def as_text(self) -> str:
        """Return what `from_text` takes."""
        holder = None if self.holder is None else asdict(self.holder)
        return json.dumps({"holder": holder, "waiters": [asdict(waiter) for waiter in self.waiters]})

    @classmethod
    def from_text(cls, device_name: str, text: str) -> DeviceLock:
        """Return the state that was kept."""
        data = json.loads(text)
        holder, waiters = data["holder"], data["waiters"]
        return cls(
            device_name,
            None if holder is None else Holder(**{**holder, "wish": wish_from_json(holder["wish"])}),
            tuple(Waiter(**{**waiter, "wish": wish_from_json(waiter["wish"])}) for waiter in waiters),
        )

    # --- parts --------------------------------------------------------------------------------------------------------

    def _held_by(self, key_digest: str) -> Holder | None:
        holder = self.holder
        return holder if holder is not None and hmac.compare_digest(holder.key_digest, key_digest) else None

    def _before(self, wish: Wish, ticket: str | None) -> int:
        """How many that wait go before this request."""
        count = 0
        for waiter in self.waiters:
            if waiter.ticket == ticket or waiter.wish.lock_type > wish.lock_type:
                break
            count += 1
        return count

    def _grant(self, moment: Moment, wish: Wish, key_digest: str, ticket: str | None) -> Holder:
        if self.holder is not None:
            self._end(Action.FORCE_RELEASED, wish.user_id, f"overridden by {wish.lock_type.name}")
        self.waiters = tuple(waiter for waiter in self.waiters if waiter.ticket != ticket)
        self.holder = Holder(wish, key_digest, moment.version, moment.now, moment.now + wish.timeout)
        self._tell(Action.ACQUIRED, self.holder)
        return self.holder

    def _wait(self, moment: Moment, wish: Wish, ticket: str, place: int) -> None:
        alive_until = moment.now + WAITER_TTL
        own = next((waiter for waiter in self.waiters if waiter.ticket == ticket), None)
        if own is None:
            if len(self.waiters) >= MAX_WAITERS:
                raise TooManyWaitersError(
                    f"{MAX_WAITERS} requests wait for {self.device_name} already: ask again later, or do not wait"
                )
            new = Waiter(ticket, wish, moment.now, alive_until)
            self._set_waiters((*self.waiters[:place], new, *self.waiters[place:]))
        elif alive_until - own.alive_until >= WAITER_CONFIRMED_EVERY / 2:
            confirmed = replace(own, alive_until=alive_until)
            self.waiters = tuple(confirmed if waiter is own else waiter for waiter in self.waiters)
            self.touched = True  # but nobody needs to know

    def _set_waiters(self, waiters: Iterable[Waiter]) -> None:
        self.waiters = tuple(waiters)
        self.changed = self.touched = True

    def _end(self, action: Action, by: str | None = None, note: str | None = None) -> None:
        assert self.holder is not None
        self._tell(action, self.holder, by, note)
        self.holder = None

    def _tell(self, action: Action, holder: Holder, by: str | None = None, note: str | None = None) -> None:
        self.happenings.append(Happening(action, holder.fencing_number, holder.wish, by, note))
        self.changed = self.touched = True


def wish_from_json(data: dict[str, Any]) -> Wish:
    """Return the wish that `dataclasses.asdict` made `data` of."""
    return Wish(**{**data, "lock_type": LockType(data["lock_type"])})
