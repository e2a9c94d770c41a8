"""Links of `BleakDriver` between two hosts, driven by hand: dialled by both at once, opened and ended many times."""

from __future__ import annotations

import asyncio
from typing import Any

from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.guest import Guest
from ..vm.program import Program

ALICE, BOB = b"A" * 15 + b"1", b"B" * 15 + b"2"
DUAL_DIALS = 4
#: Seconds for which a link must hold after both have dialled: longer than either attempt could live.
HOLD = 12.0
CYCLES, WARM_UP = 50, 5
#: What the cycles may add: a few hundred kilobytes come and go with the allocator.
GROWTH = {"threads": 0, "descriptors": 0, "sockets": 0, "memory": 1500}


async def _driver(guest: Guest, identity: bytes, *options: str) -> Program:
    node = guest.helper("driver_node", identity.hex(), *options)
    await node.expect("started", 40.0, address=guest.address)
    for order in ("start_advertising", "start_scanning"):
        node.send(order)
    return node


async def _both_linked(a: Guest, alice: Program, b: Guest, bob: Program, timeout: float) -> set[str]:
    """Have the central shake hands once it is linked, and return both roles."""

    async def linked(node: Program, peer: str) -> str:
        got = await node.expect("connected", timeout, address=peer)
        if got["role"] == "central":
            node.send("handshake", address=peer)
        return str(got["role"])

    return set(await asyncio.gather(linked(alice, b.address), linked(bob, a.address)))


@scenario(guests=2, timeout=300.0)
async def both_dial_and_one_link_remains(rig: Rig) -> None:
    """Two hosts dial each other at the same moment, again and again: each time one link, one of each role, no flap."""
    a, b = await rig.guests(2, gatt_channels=1)
    alice, bob = await _driver(a, ALICE), await _driver(b, BOB)
    for _ in range(DUAL_DIALS):
        alice.send("connect", args=[b.address])
        bob.send("connect", args=[a.address])
        roles = await _both_linked(a, alice, b, bob, 40.0)
        expect(roles == {"central", "peripheral"}, f"the roles are {roles}")
        await asyncio.sleep(HOLD)
        lost = [event for node in (alice, bob) for event in _pending(node) if event["event"] == "disconnected"]
        expect(not lost, f"the link did not hold: {lost}")
        alice.send("disconnect", args=[b.address])
        await asyncio.gather(
            alice.expect("disconnected", 20.0, address=b.address), bob.expect("disconnected", 20.0, address=a.address)
        )
    rig.note(f"{DUAL_DIALS} times both dialled at once: one link each time, held for {HOLD:g} s")


def _pending(node: Program) -> list[dict[str, Any]]:
    events = []
    while not node.events.empty():
        event = node.events.get_nowait()
        if event is not None:
            events.append(event)
    return events


@scenario(guests=2, timeout=500.0, on=("trixie",))
async def many_links_leave_nothing_behind(rig: Rig) -> None:
    """Threads, descriptors, connections to D-Bus and memory after the fifth link are those after the last."""
    a, b = await rig.guests(2, gatt_channels=1)
    alice, bob = await _driver(a, ALICE), await _driver(b, BOB)
    before: list[dict[str, Any]] = []
    cycles = WARM_UP + rig.times(CYCLES - WARM_UP)
    for cycle in range(cycles):
        if cycle == WARM_UP:
            before = [await _usage(node) for node in (alice, bob)]
        dialler, other, to, back = (alice, bob, b, a) if cycle % 2 else (bob, alice, a, b)
        dialler.send("connect", args=[to.address])
        await dialler.expect("connected", 40.0, address=to.address)
        dialler.send("handshake", address=to.address)
        await other.expect("connected", 20.0, address=back.address)
        ender, peer = (dialler, to) if cycle % 4 < 2 else (other, back)  # each end hangs up half of them
        ender.send("disconnect", args=[peer.address])
        await asyncio.gather(
            dialler.expect("disconnected", 20.0, address=to.address),
            other.expect("disconnected", 20.0, address=back.address),
        )
    for name, node, first in zip(("alice", "bob"), (alice, bob), before, strict=True):
        last = await _usage(node)
        grown = {key: last[key] - first[key] for key in GROWTH}
        rig.note(f"{name} after {WARM_UP} links {_only(first)}, after {cycles} {_only(last)}")
        expect(all(grown[key] <= GROWTH[key] for key in GROWTH), f"{name} has grown by {grown}")
        node.send("stop")
        stopped = await node.expect("stopped", 20.0)
        expect(stopped["seconds"] < 5.0 and stopped["threads"] == [], f"stop: {stopped}")


async def _usage(node: Program) -> dict[str, Any]:
    await asyncio.sleep(3.0)  # what is being closed may still be there
    node.send("usage")
    return await node.expect("usage", 20.0)


def _only(usage: dict[str, Any]) -> dict[str, int]:
    return {key: usage[key] for key in GROWTH}
