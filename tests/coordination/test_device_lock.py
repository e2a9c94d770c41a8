"""The rules of a lock, tried by hypothesis against what users rely on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ble_coordination.device_lock import Action, DeviceLock, Holder, Moment, Refusal, Refused, Waits, Wish
from ble_coordination.errors import TooManyWaitersError
from ble_coordination.limits import MAX_WAITERS, WAITER_CONFIRMED_EVERY, WAITER_TTL
from ble_coordination.lock_type import LockType

KINDS = st.sampled_from(list(LockType))
LEASE = 10.0

T = TypeVar("T")


def wish(kind: LockType = LockType.QUEUE_QUEUED, user: str = "logger", timeout: float = LEASE) -> Wish:
    return Wish(kind, user, timeout)


def at(now: float, version: int = 1) -> Moment:
    return Moment(now, version)


class Locks(RuleBasedStateMachine):
    """Any requests at any time. Keys and tickets are numbers; the machine remembers what it was told, no more."""

    @initialize()
    def begin(self) -> None:
        self.text = DeviceLock("hci0").as_text()
        self.now, self.version, self.names = 100.0, 0, 0
        # What the users were told: the grants, and until when each is good unless it ends before.
        self.numbers: dict[str, int] = {}
        self.kinds: dict[str, LockType] = {}
        self.good_until: dict[str, float] = {}
        # Who waits: priority and place in the order of arrival, and until when that is remembered.
        self.places: dict[str, tuple[LockType, int]] = {}
        self.alive_until: dict[str, float] = {}

    def step(self, take: Callable[[DeviceLock, Moment], T]) -> T:
        """Do as a store does: what is kept is text, and each step gets a lock made from it."""
        lock = DeviceLock.from_text("hci0", self.text)
        self.version += 1
        result = take(lock, Moment(self.now, self.version))
        self.text = lock.as_text()
        ended = {h.fencing_number for h in lock.happenings if h.action is not Action.ACQUIRED}
        self.good_until = {k: until for k, until in self.good_until.items() if self.numbers[k] not in ended}
        return result

    def valid(self) -> list[str]:
        return [key for key, until in self.good_until.items() if until > self.now]

    def ask(self, kind: LockType, key: str, ticket: str | None) -> None:
        place = self.places.get(key, (kind, self.names))
        first = [t for t, other in self.places.items() if self.alive_until[t] > self.now and other < place]
        stronger = [k for k in self.valid() if self.kinds[k] <= kind]
        outcome = self.step(lambda lock, moment: lock.request(moment, wish(kind, key), key, ticket))
        if isinstance(outcome, Holder):
            assert not stronger, "granted over one of the same or a higher priority"
            assert not first, "granted before somebody who goes first"
            assert all(outcome.fencing_number > number for number in self.numbers.values())
            self.kinds[key], self.numbers[key] = kind, outcome.fencing_number
            self.good_until[key] = self.now + LEASE
            self.places.pop(key, None)
            return
        assert stronger or first, "refused for nothing"
        assert outcome.why is (Refusal.HELD if stronger else Refusal.AWAITED)
        if isinstance(outcome, Waits):
            assert outcome.before == len(first)
            self.places[key] = place
            fresh = self.now + WAITER_TTL
            if fresh - self.alive_until.get(key, 0.0) >= WAITER_CONFIRMED_EVERY / 2:  # not written each time
                self.alive_until[key] = fresh

    @rule(kind=KINDS, waits=st.booleans())
    def request(self, kind: LockType, waits: bool) -> None:
        self.names += 1
        name = f"n{self.names}"
        try:
            self.ask(kind, name, name if waits else None)
        except TooManyWaitersError:
            assert len(self.places) >= MAX_WAITERS

    @precondition(lambda self: self.places)
    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.places)))
        self.ask(self.places[ticket][0], ticket, ticket)

    @precondition(lambda self: self.places)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.places)))
        self.step(lambda lock, moment: lock.withdraw(moment, ticket))
        del self.places[ticket]

    @precondition(lambda self: self.kinds)
    @rule(data=st.data(), release=st.booleans())
    def use_a_key(self, data: st.DataObject, release: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.kinds)))
        good = key in self.valid()
        if release:
            done = self.step(lambda lock, moment: lock.release(moment, key))
        else:
            done = self.step(lambda lock, moment: lock.renew(moment, key))
        assert (done is not None) == good
        if done is not None and not release:
            self.good_until[key] = self.now + LEASE

    @rule(number=st.none() | st.integers(0, 20))
    def force(self, number: int | None) -> None:
        valid = self.valid()
        hit = bool(valid) and number in (None, self.numbers[valid[0]])
        done = self.step(lambda lock, moment: lock.force_release(moment, "ann", "because", number))
        assert (done is not None) == hit

    @rule(seconds=st.sampled_from([0.5, 4.0, LEASE, WAITER_TTL]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.places = {t: place for t, place in self.places.items() if self.alive_until[t] > self.now}

    @invariant()
    def one_holder(self) -> None:
        assert len(self.valid()) <= 1


Locks.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestLocks = Locks.TestCase


def test_a_higher_priority_takes_the_lock_and_kills_the_key() -> None:
    lock = DeviceLock("hci0")
    assert isinstance(lock.request(at(0), wish(LockType.MANUAL_OPERATOR, "bob"), "b"), Holder)
    lock.happenings.clear()
    assert isinstance(lock.request(at(1, 2), wish(LockType.MAINTENANCE, "ann"), "a"), Holder)
    lost, got = lock.happenings
    assert (lost.action, lost.wish.user_id, lost.fencing_number, lost.by) == (Action.FORCE_RELEASED, "bob", 1, "ann")
    assert (got.action, got.wish.user_id, got.fencing_number) == (Action.ACQUIRED, "ann", 2)
    assert lock.renew(at(2), "b") is None
    assert lock.release(at(2), "b") is None
    assert lock.holder is not None


@pytest.mark.parametrize("kind", [LockType.QUEUE_EXECUTING, LockType.MANUAL_OPERATOR, LockType.QUEUE_QUEUED])
def test_the_same_or_a_lower_priority_is_refused(kind: LockType) -> None:
    lock = DeviceLock("hci0")
    lock.request(at(0), wish(LockType.QUEUE_EXECUTING), "a")
    assert lock.request(at(1), wish(kind), "b") == Refused(Refusal.HELD)


def test_a_waiting_request_is_not_given_the_lock_but_takes_it() -> None:
    lock = DeviceLock("hci0")
    lock.request(at(0), wish(), "a")
    assert lock.request(at(1), wish(), "b", "ticket") == Waits(Refusal.HELD, 0)
    lock.release(at(2), "a")
    assert lock.holder is None
    assert lock.request(at(2), wish(), "c") == Refused(Refusal.AWAITED)
    assert isinstance(lock.request(at(2), wish(), "b", "ticket"), Holder)
    assert lock.waiters == ()


def test_a_waiting_request_that_nobody_confirms_is_forgotten() -> None:
    lock = DeviceLock("hci0")
    lock.request(at(0), wish(timeout=1), "a")
    lock.request(at(0), wish(), "b", "ticket")
    lock.settle(at(WAITER_TTL - 0.1))
    assert [waiter.ticket for waiter in lock.waiters] == ["ticket"]
    assert isinstance(lock.request(at(WAITER_TTL), wish(), "c"), Holder)


def test_the_same_key_is_granted_once() -> None:
    """A request that is made again because its answer was lost has what it had."""
    lock = DeviceLock("hci0")
    first = lock.request(at(0), wish(), "a")
    assert lock.request(at(1, 2), wish(), "a") == first


def test_a_step_that_changes_nothing_leaves_nothing_to_keep() -> None:
    lock = DeviceLock("hci0")
    lock.settle(at(0))
    lock.release(at(0), "a")
    lock.renew(at(0), "a")
    lock.withdraw(at(0), "t")
    lock.force_release(at(0), "ann")
    assert not lock.touched
    lock.request(at(0), wish(), "a")
    kept = DeviceLock.from_text("hci0", lock.as_text())
    kept.request(at(1), wish(), "b", "t")
    assert (kept.touched, kept.changed) == (True, True)
    again = DeviceLock.from_text("hci0", kept.as_text())
    again.request(at(1.5), wish(), "b", "t")
    assert not again.touched
    again.request(at(5), wish(), "b", "t")
    assert (again.touched, again.changed) == (True, False)
