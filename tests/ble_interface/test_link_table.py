"""One link per identity: the table alone, with made-up links and time."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_driver import Role
from ble_interface.gatt import PING, PONG
from ble_interface.link_table import Action, Adopt, End, LinkTable, Part, Reconcile, Send
from ble_interface.peer_link import PeerLink
from ble_interface.states import ConnectionState as State

LOW, MIDDLE, HIGH = b"\x01" * 16, b"\x02" * 16, b"\x03" * 16


class Table(LinkTable):
    """A table whose peers are told by one line each."""

    def __init__(self, identity: bytes = MIDDLE, max_links: int = 7) -> None:
        super().__init__(identity, max_links, 8192, Counter())

    def inbound(self, address: str, now: float = 0.0, mtu: int = 185) -> tuple[PeerLink, list[Action]]:
        actions = self.came_up(address, Role.PERIPHERAL, mtu, now)
        return self.links[address], actions

    def claim(self, address: str, identity: bytes, now: float = 0.0, mtu: int = 185) -> tuple[PeerLink, list[Action]]:
        link, actions = self.inbound(address, now, mtu)
        return link, actions + self.identify(link, identity, now)

    def dialled(self, address: str, identity: bytes, now: float = 0.0, mtu: int = 185) -> tuple[PeerLink, list[Action]]:
        self.dial(address, now)
        actions = self.came_up(address, Role.CENTRAL, mtu, now)
        link = self.links[address]
        return link, actions + self.identify(link, identity, now)


def ended(actions: list[Action], link: PeerLink) -> bool:
    return any(isinstance(action, End) and action.link is link for action in actions)


def test_a_peer_that_tells_who_it_is_becomes_active() -> None:
    table = Table()
    for link, actions in (table.dialled("a", LOW), table.claim("b", HIGH)):
        assert actions == [Adopt(link)]
        assert link.state is State.ACTIVE


def test_our_own_identity_is_refused() -> None:
    table = Table()
    for link, actions in (table.dialled("a", MIDDLE), table.claim("b", MIDDLE)):
        assert ended(actions, link)
        assert table.active(MIDDLE) is None


# --- two links of one identity ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(185, 517), (517, 185), (185, 185)])
@pytest.mark.parametrize("theirs", [LOW, HIGH])
def test_when_handshakes_cross_both_ends_keep_the_same_link(first: int, second: int, theirs: bytes) -> None:
    """We dialled the link of the first MTU, they that of the second; each end knows its own first."""
    we, they = Table(MIDDLE), Table(theirs)
    ours, _ = we.dialled("their-advert", theirs, mtu=first)
    dialled, _ = they.dialled("our-advert", MIDDLE, mtu=second)
    inbound, at_ours = we.claim("their-other", theirs, 0.1, mtu=second)
    claimed, at_theirs = they.claim("our-other", MIDDLE, 0.1, mtu=first)
    ours_wins = first > second if first != second else theirs > MIDDLE
    # Exactly one of the two refuses at once, and that is the one who dialled the winner.
    assert (ended(at_ours, inbound), ended(at_theirs, claimed)) == (ours_wins, not ours_wins)
    if ours_wins:
        assert they.closed(dialled, 0.2) == [Adopt(claimed)]
        assert claimed.state is ours.state is State.ACTIVE
    else:
        assert we.closed(ours, 0.2) == [Adopt(inbound)]
        assert inbound.state is dialled.state is State.ACTIVE


def test_a_link_that_both_ends_have_stays_whatever_comes() -> None:
    we, they = Table(MIDDLE), Table(LOW)
    kept, _ = we.dialled("a", LOW, mtu=23)
    they.claim("x", MIDDLE, mtu=23)
    # They dial us over another address and with a larger MTU: at their end it is dropped before the handshake.
    better, actions = they.dialled("y", MIDDLE, 1.0, mtu=517)
    assert ended(actions, better)
    # And if an implementation goes on all the same, at ours it waits and is dropped.
    claim, actions = we.claim("b", LOW, 1.0, mtu=517)
    assert actions == []
    assert claim.state is State.WAITING
    assert kept.state is State.ACTIVE
    kept.receive(b"\x00", 15.0)
    assert ended(we.due(16.1), claim)
    assert we.active(LOW) is kept


@given(st.lists(st.tuples(st.sampled_from((23, 185, 517)), st.floats(0, 40)), max_size=20), st.booleans())
def test_no_claim_ever_disturbs_a_live_link(claims: list[tuple[int, float]], we_dialled: bool) -> None:
    table = Table(max_links=4)
    link, _ = table.dialled("peer", LOW) if we_dialled else table.claim("peer", LOW)
    for number, (mtu, now) in enumerate(sorted(claims, key=lambda claim: claim[1])):
        link.receive(b"\x00", now)
        table.due(now)
        claim, actions = table.claim(f"x{number}", LOW, now, mtu)
        assert not any(action.link is link for action in actions)
        assert claim.state in (State.WAITING, State.CLOSING)
        if claim.state is State.CLOSING:
            table.closed(claim, now)
    assert (table.active(LOW), link.state, link.mtu) == (link, State.ACTIVE, 185)
    assert sum(other.state is State.WAITING for other in table.links.values()) <= 1


def test_a_claim_takes_over_when_the_old_link_ends() -> None:
    table = Table()
    old, _ = table.claim("old", LOW)
    new, _ = table.claim("new", LOW, 1.0)
    assert new.state is State.WAITING
    assert table.closed(old, 2.0) == [Adopt(new)]
    assert table.closed(new, 3.0) == [Part(new)]


def test_silence_of_forty_five_seconds_loses_to_a_claim_and_is_drained() -> None:
    table = Table()
    old, _ = table.claim("old", LOW)
    early, actions = table.claim("early", LOW, 44.9)
    assert actions == []
    assert table.due(45.0)[0] == Adopt(early)
    assert (old.state, early.state) == (State.DRAINING, State.ACTIVE)
    assert not ended(table.due(54.9), old)
    assert ended(table.due(55.0), old)
    late, actions = table.dialled("late", LOW, 45.0 + 45.0)
    assert actions == [Adopt(late)]
    assert early.state is State.DRAINING


def test_a_peer_that_has_sent_a_ping_is_asked_and_has_five_seconds() -> None:
    table = Table()
    old, _ = table.claim("old", LOW)
    old.receive(bytes((PING, 9)), 1.0)
    new, actions = table.claim("new", LOW, 2.0)
    assert actions == [Send(old, bytes((PING, 1)))]
    assert new.state is State.WAITING
    assert table.deadline(2.0) == pytest.approx(7.0)
    assert Adopt(new) not in table.due(6.9)
    assert Adopt(new) in table.due(7.0)
    assert old.state is State.DRAINING


def test_any_frame_answers_the_question_whether_a_peer_lives() -> None:
    table = Table()
    old, _ = table.claim("old", LOW)
    old.receive(bytes((PING, 9)), 1.0)
    new, _ = table.claim("new", LOW, 2.0)
    old.receive(b"\x00", 6.9)
    table.due(7.0)
    assert (old.state, new.state) == (State.ACTIVE, State.WAITING)


def test_only_one_claim_waits_and_it_waits_fifteen_seconds() -> None:
    table = Table()
    old, _ = table.claim("old", LOW)
    first, _ = table.claim("x", LOW, 1.0)
    second, actions = table.claim("y", LOW, 1.0)
    assert ended(actions, second)
    old.receive(b"\x00", 15.0)
    assert not ended(table.due(15.9), first)
    assert ended(table.due(16.0), first)


# --- places -----------------------------------------------------------------------------------------------------------


def test_links_and_attempts_share_the_places() -> None:
    table = Table(max_links=3)
    table.dial("a", 0.0)
    table.dialled("b", LOW)
    assert table.free == 1
    table.claim("c", HIGH)
    assert table.free == 0
    link, actions = table.inbound("d")
    assert ended(actions, link)
    table.closed(table.links["a"], 1.0)
    table.closed(link, 1.0)
    assert table.free == 1


def test_a_peer_that_we_dial_and_that_comes_by_itself_takes_one_place() -> None:
    table = Table(max_links=1)
    table.dial("a", 0.0)
    link, actions = table.claim("a", LOW, 0.1)
    assert actions == [Adopt(link)]
    assert (link.role, table.free) == (Role.PERIPHERAL, 0)


def test_half_of_the_places_are_for_those_of_whom_nothing_is_known() -> None:
    table = Table(max_links=6)
    silent = [table.inbound(f"s{n}")[0] for n in range(3)]
    one_more, actions = table.inbound("s3")
    assert ended(actions, one_more)
    table.closed(one_more, 0.0)
    link, actions = table.dialled("peer", LOW)
    assert actions == [Adopt(link)]
    table.due(9.9)
    assert {link.state for link in silent} == {State.UNKNOWN}
    assert all(ended([action], link) for action, link in zip(table.due(10.0), silent, strict=True))


# --- time -------------------------------------------------------------------------------------------------------------


def test_a_keepalive_follows_fifteen_seconds_of_our_own_silence() -> None:
    table = Table()
    link, _ = table.claim("a", LOW)
    assert table.due(14.9) == []
    assert table.due(15.0) == [Send(link, b"\x00")]
    link.sent = 20.0
    assert table.due(30.0) == []
    assert table.due(35.0) == [Send(link, b"\x00")]


def test_only_a_peer_that_answers_is_dead_when_it_is_silent() -> None:
    table = Table()
    quiet, _ = table.claim("quiet", LOW)
    pinging, _ = table.claim("pinging", HIGH)
    pinging.receive(bytes((PING, 1)), 0.0)
    (ping,) = [a for a in table.due(15.0) if isinstance(a, Send) and a.link is pinging]
    assert ping.frame[0] == PING
    pinging.receive(bytes((PONG, ping.frame[1] ^ 1)), 15.1)  # not the answer
    assert not pinging.answers
    assert pinging.dropped == {"malformed": 1}
    pinging.receive(bytes((PONG, ping.frame[1])), 15.2)
    assert pinging.answers
    sent = [a.frame[0] for t in range(16, 60) for a in table.due(float(t)) if isinstance(a, Send) and a.link is pinging]
    assert sent.count(PING) == 2
    assert ended(table.due(60.2), pinging)
    table.closed(pinging, 60.3)
    table.due(1000.0)
    assert quiet.state is State.ACTIVE


def test_a_partial_packet_is_given_up_without_another_frame() -> None:
    table = Table()
    link, _ = table.claim("a", LOW)
    link.receive(b"\x01\x00\x00\x00\x02half", 1.0)
    table.due(31.0)
    assert link.reassembler.is_open
    table.due(31.1)
    assert not link.reassembler.is_open
    assert link.dropped == {"timed_out": 1}


def test_the_driver_is_asked_what_became_of_an_attempt_and_of_a_closing_link() -> None:
    table = Table()
    table.dial("a", 0.0)
    link, _ = table.claim("b", LOW)
    table.end(link, "a test", 0.0)
    assert table.due(14.9) == []
    assert table.due(15.0) == [Reconcile(table.links["a"]), Reconcile(link)]
    assert table.due(29.9) == []
    assert len(table.due(30.0)) == 2
    table.closed(link, 31.0)
    table.closed(table.links["a"], 31.0)
    assert table.deadline(31.0) == math.inf


def test_what_a_waiting_link_brings_is_held_within_bounds() -> None:
    table = Table()
    table.claim("old", LOW)
    link, _ = table.claim("new", LOW, 1.0)
    for n in range(5000):
        link.hold(b"%4d" % n)
    kept = link.release()
    assert kept[-1] == b"4999"
    assert sum(len(packet) + 64 for packet in kept) <= 65_536
    assert link.dropped == {"held_too_many": 5000 - len(kept)}
    assert link.release() == []


# --- everything at once -----------------------------------------------------------------------------------------------


@given(st.randoms(use_true_random=False))
def test_whatever_happens_one_identity_has_one_active_link(rng: random.Random) -> None:
    table, now, places = Table(max_links=5), 0.0, 5
    parted: set[bytes] = set()
    peers: set[bytes] = set()
    for _ in range(60):
        now += rng.choice((0.0, 0.1, 3.0, 12.0, 50.0))
        address, identity = rng.choice("abcdefgh"), rng.choice((LOW, MIDDLE, HIGH))
        link = table.links.get(address)
        actions = table.due(now)
        match rng.randrange(5):
            case 0 if link is None and table.free:
                table.dial(address, now)
            case 1:
                actions += table.came_up(address, rng.choice(list(Role)), rng.choice((23, 517)), now)
            case 2 if link is not None and link.state is State.UNKNOWN:
                actions += table.identify(link, identity, now)
            case 3 if link is not None:
                actions += table.closed(link, now)
            case 4 if link is not None and link.state in (State.ACTIVE, State.WAITING):
                link.receive(rng.choice((b"\x00", bytes((PING, 1)), bytes((PONG, 1)))), now)
        for action in actions:
            if isinstance(action, Adopt):
                peers.add(action.link.identity or b"")
            elif isinstance(action, Part):
                peers.remove(action.link.identity or b"")
                parted.add(action.link.identity or b"")
        active = [link.identity for link in table.links.values() if link.state is State.ACTIVE]
        assert len(set(active)) == len(active)
        assert set(active) == peers
        assert MIDDLE not in active
        known = [link for link in table.links.values() if link.state is not State.CLOSING]
        assert len(known) <= places
        assert table.deadline(now) > now or table.links
