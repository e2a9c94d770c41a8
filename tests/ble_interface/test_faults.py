"""Something goes wrong at any step of setting up a link, or with the radio: it costs time, and nothing else."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from ble_interface import PeerGoneError
from drivers.mock_ble_driver import Fault, Step

from .nodes import Stack, World, states


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", Step)
def test_once_nothing_goes_wrong_any_more_they_are_linked_within_a_minute(
    world: World, step: Step, fault: Fault
) -> None:
    world.air.faults.add(fault, step)
    alice, bob = world.stack("alice"), world.stack("bob")
    sent: Counter[bytes] = Counter()

    def exchange() -> None:
        for source, target in ((alice, bob), (bob, alice)):
            for peer in source.interface.peers:
                packet = b"%6d" % sum(sent.values()) * 300  # several write requests
                try:
                    peer.process_outgoing(packet)
                    sent[target.identity + packet] += 1
                except PeerGoneError:
                    pass

    for _ in range(100):
        world.run_for(1.0)
        exchange()
        for stack in (alice, bob):
            assert sum(states(stack).values()) <= 2
            assert [k for k, _ in stack.news] == (["up", "down"] * 100)[: len(stack.news)]
    assert world.air.faults.struck > 1
    world.air.faults.clear()
    world.run_for(60.0)
    assert alice.linked_to(bob)
    assert bob.linked_to(alice)
    news = len(alice.news)
    exchange()
    world.run_for(60.0)
    assert len(alice.news) == news
    for stack in (alice, bob):
        got = Counter(stack.identity + packet for packet in stack.packets)
        assert got <= sent
        assert f"{sum(sent.values()) - 1:6d}".encode() in {p[:6] for s in (alice, bob) for p in s.packets}
        assert stack.driver.connecting_peers == []


def test_a_thousand_advertisements_a_second_make_no_more_attempts_than_one(world: World) -> None:
    world.air.advertisement_copies = 100  # ten times a second
    world.air.faults.add(Fault.REFUSE, Step.CONNECT)
    alice, bob = world.stack("alice"), world.stack("bob")
    attempts = {stack.driver: _attempts_of(world, stack) for stack in (alice, bob)}
    world.run_for(60.0)
    for times in attempts.values():
        assert 2 <= len(times) <= 12
        assert all(later - earlier >= 5.0 for earlier, later in itertools.pairwise(times))
    world.air.faults.clear()
    world.wait(lambda: alice.linked_to(bob) and bob.linked_to(alice))


def _attempts_of(world: World, stack: Stack) -> list[float]:
    times: list[float] = []
    connect = stack.driver.connect

    def note(address: str) -> None:
        times.append(world.dispatcher.time())
        connect(address)

    stack.driver.connect = note  # type: ignore[method-assign]
    return times
