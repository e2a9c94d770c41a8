"""A central gets each packet that is meant for it once and in order, however many others get it too."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ble_driver import Packet
from drivers.bleak_driver.overheard import MAX_OVERHEARD, OVERHEARD_TIME, Overheard

P, Q, R = (b"p",), (b"q1", b"q2"), (b"r",)


class Air:
    """A shared characteristic: what is said for one is heard by all."""

    def __init__(self, *centrals: str) -> None:
        self.heard: dict[str, list[Packet]] = {central: [] for central in centrals}
        self.overheard = Overheard()
        self.said = 0
        self.now = 0.0

    def send(self, to: str, packet: Packet) -> None:
        """Send as the driver does."""
        if self.overheard.has(to, packet, self.now):
            return
        self.said += 1
        for packets in self.heard.values():
            packets.append(packet)
        self.overheard.notified(to, packet, [name for name in self.heard if name != to], self.now)


def test_a_packet_for_all_is_said_once() -> None:
    air = Air("a", "b", "c")
    for packet in (P, Q):
        for to in "abc":
            air.send(to, packet)
    assert air.said == 2
    assert air.heard["b"] == [P, Q]


def test_it_works_as_well_for_one_after_the_other() -> None:
    air = Air("a", "b")
    for to in "ab":
        for packet in (P, Q, R):
            air.send(to, packet)
    assert air.said == 3


def test_the_same_bytes_to_one_central_are_said_again() -> None:
    air = Air("a", "b")
    air.send("a", P)
    air.send("a", P)
    assert air.said == 2


def test_a_packet_that_was_heard_before_another_counts_no_more() -> None:
    air = Air("a", "b")
    air.send("a", P)  # b overhears it
    air.send("b", Q)
    air.send("b", P)  # was heard before Q, and is to come after it
    assert air.heard["b"] == [P, Q, P]


def test_what_was_overheard_long_ago_is_said_again() -> None:
    air = Air("a", "b")
    air.send("a", P)
    air.now += 2 * OVERHEARD_TIME
    air.send("b", P)
    assert air.said == 2


def test_who_comes_back_has_heard_nothing() -> None:
    air = Air("a", "b")
    air.send("a", P)
    air.overheard.gone("b")
    air.send("b", P)
    assert air.said == 2


def test_memory_is_bounded() -> None:
    air = Air("a", "b")
    for number in range(10 * MAX_OVERHEARD):
        air.send("a", (number.to_bytes(2, "big"),))
    assert len(air.overheard._heard["b"]) == MAX_OVERHEARD


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([P, Q, R]), st.sampled_from([0.0, 0.2, 0.6]))))
def test_each_central_hears_what_is_meant_for_it_in_order(sends: list[tuple[str, Packet, float]]) -> None:
    air = Air("a", "b", "c")
    for to, packet, pause in sends:
        air.send(to, packet)
        air.now += pause
    for central, heard in air.heard.items():
        meant = iter(heard)  # what is meant for it is a subsequence of what it heard
        assert all(packet in meant for to, packet, _ in sends if to == central)
