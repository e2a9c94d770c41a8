"""What is due first comes first, whatever else is added, taken or cancelled meanwhile."""

from __future__ import annotations

import math
import weakref

from hypothesis import given
from hypothesis import strategies as st

from ble_driver.agenda import SLOT, SWEEP_LEAST, Agenda


class Entry:
    def __init__(self) -> None:
        self.is_cancelled = False

    def cancelled(self) -> bool:
        return self.is_cancelled


#: Four to a slot, so that some share one; and some that are far.
moments = st.integers(0, 12).map(lambda number: number * SLOT / 4) | st.sampled_from([1.0, 1e6, math.inf])
order = st.tuples(st.just("add"), moments) | st.tuples(st.sampled_from(["take", "cancel", "look"]), moments)


@given(st.lists(order, min_size=20, max_size=60))
def test_it_gives_what_a_sorted_list_would(orders: list[tuple[str, float]]) -> None:
    agenda: Agenda[Entry] = Agenda()
    expected: list[tuple[float, int, Entry]] = []
    now = 0.0
    for number, (what, moment) in enumerate(orders):
        if what == "add":
            entry = Entry()
            agenda.add(now + moment, entry)
            expected.append((now + moment, number, entry))
        elif what == "cancel" and expected:
            expected.pop(int(min(moment, 1e6)) % len(expected))[2].is_cancelled = True
        elif what == "look":
            assert agenda.next_time() == min((item[0] for item in expected), default=None)
        elif what == "take":
            now += min(moment, 10.0)
            first = min(expected, key=lambda item: item[:2], default=None)
            if first is None or first[0] > now:
                assert agenda.take(now) is None
            else:
                assert agenda.take(now) is first[2]
                expected.remove(first)


def test_what_was_cancelled_is_swept_out_near_and_far() -> None:
    agenda: Agenda[Entry] = Agenda()
    alive: weakref.WeakSet[Entry] = weakref.WeakSet()
    first = Entry()
    agenda.add(0.0, first)
    assert agenda.next_time() == 0.0
    kept = [first]
    for number in range(20 * SWEEP_LEAST):
        entry = Entry()
        alive.add(entry)
        agenda.add((number % 100) / 10, entry)
        entry.is_cancelled = number % 100 != 7
        if not entry.is_cancelled:
            kept.append(entry)
    del entry
    assert len(alive) < 3 * SWEEP_LEAST
    assert [agenda.take(10.0) for _ in kept] == kept
    assert agenda.take(math.inf) is None
