"""How soon, how long, how fast: two full Reticulum nodes, and the bare calls of bleak and bluezero on the same rig."""

from __future__ import annotations

import asyncio
import random
import time
from statistics import median

from .. import reticulum
from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.guest import Guest
from ..vm.program import Program

#: How often they are started, how far apart at most, and how soon after the later is ready they must be linked.
STARTS, OFFSET, LINKED_WITHIN = 20, 10.0, 15.0
#: Seconds for which the link must hold.
HOLD = 300
#: Seconds that a reply may take, and the share of the bare calls' throughput that must be reached.
ROUND_TRIP, SHARE = 0.5, 0.5
FILE_SIZE, FRAME = 64 * 1024, 500


@scenario(guests=2, timeout=600.0, on=("bookworm",), alone=True)
async def figures(rig: Rig) -> None:
    """Linked soon after the start, for long, with short round trips, and fast."""
    a, b = await rig.guests(2, gatt_channels=1)
    bare = await _bare(a, b)
    for guest in (a, b):
        await reticulum.prepare(guest)
    rng, seconds = random.Random(1), []
    alice, bob, alices_role, took = await _start(a, b, rng)
    seconds.append(took)
    while len(seconds) < rig.times(STARTS):
        for node in (alice, bob):
            node.type("quit")
            await node.wait(20.0)
        alice, bob, alices_role, took = await _start(a, b, rng)
        seconds.append(took)
    usual, worst = median(seconds), max(seconds)
    rig.note(f"linked {usual:.1f} s after the later node was ready, {worst:.1f} s at worst of {len(seconds)} times")
    expect(worst <= LINKED_WITHIN, f"it took {worst:.1f} s")
    await alice.expect("heard", 60.0, peer="bob")
    await bob.expect("heard", 60.0, peer="alice")
    alices, bobs = ("writes", "notifications") if alices_role == "central" else ("notifications", "writes")
    rates = {
        alices: await _send_file(rig, a, alice, bob, "bob"),
        bobs: await _send_file(rig, b, bob, alice, "alice"),
    }
    hold = rig.times(HOLD)
    await asyncio.sleep(hold)
    for node in (alice, bob):
        while not node.events.empty():
            event = node.events.get_nowait()
            expect(event is None or event["event"] != "disconnected", f"the link did not hold: {event}")
    rig.note(f"held for {hold} s")
    for way, rate in rates.items():
        share = rate / bare[way]
        rig.note(f"by {way} {rate:.1f} kB/s, {share:.0%} of the {bare[way]:.1f} kB/s of bare calls")
        expect(share >= SHARE, f"by {way} the resource has moved at {share:.0%} of the rate of bare calls")


async def _start(a: Guest, b: Guest, rng: random.Random) -> tuple[Program, Program, str, float]:
    """Start both nodes, one later; return them, the first one's role, and the seconds from ready to linked, both."""
    ready: list[float] = []

    async def run(guest: Guest, name: str, delay: float) -> tuple[Program, str, float]:
        await asyncio.sleep(delay)
        node = reticulum.start(guest, name)
        await node.expect("up", 60.0)
        ready.append(time.monotonic())
        connected = await node.expect("connected", 90.0)
        return node, connected["role"], time.monotonic()

    delays = [0.0, rng.uniform(0.0, OFFSET)]
    rng.shuffle(delays)
    (alice, role, one), (bob, _, two) = await asyncio.gather(run(a, "alice", delays[0]), run(b, "bob", delays[1]))
    return alice, bob, role, max(one, two) - max(ready)


async def _send_file(rig: Rig, guest: Guest, node: Program, to: Program, peer: str) -> float:
    path = await reticulum.make_file(guest, FILE_SIZE)
    node.type(f"file {peer} {path}")
    sent = await node.expect("file_sent", 60.0)
    begun = time.monotonic()
    await to.expect("file_received", 120.0, sha256=sent["sha256"])
    rate = FILE_SIZE / 1000 / (time.monotonic() - begun)
    rig.note(f"to {peer}: round trip {sent['rtt']:.2f} s, 64 KiB at {rate:.1f} kB/s")
    expect(sent["rtt"] < ROUND_TRIP, f"the round trip took {sent['rtt']:.2f} s")
    return rate


async def _bare(a: Guest, b: Guest) -> dict[str, float]:
    """Return what raw bleak and raw bluezero move, in kB/s."""
    count = FILE_SIZE // FRAME
    server = b.helper("bluezero_peripheral", b"B".hex() * 16)
    await server.expect("ready", 60.0)
    central = a.helper("bleak_central", b"A".hex() * 16)
    await central.expect("linked", 60.0)
    begun = time.monotonic()
    central.send("write", count=count, size=FRAME)
    server.send("received", count=count)
    await server.expect("received", 120.0, count=count)
    writes = time.monotonic() - begun
    begun = time.monotonic()
    server.send("notify", count=count, size=FRAME)
    central.send("received", count=count)
    await central.expect("received", 120.0, count=count)
    notifications = time.monotonic() - begun
    central.send("disconnect")
    await central.expect("left", 30.0)
    await server.stop()
    return {"writes": FILE_SIZE / 1000 / writes, "notifications": FILE_SIZE / 1000 / notifications}
