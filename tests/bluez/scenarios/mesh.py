"""More than two hosts: a star around one peripheral, and a chain in which only neighbours hear each other."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .. import reticulum
from ..guest_side.wire import digest, traffic
from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.program import Program

#: Packets of `wire.traffic`.
PACKETS, SEED = 2000, 1
NAMES = {"hub": b"H" * 16, "wide": b"W" * 16, "middle": b"M" * 16, "narrow": b"N" * 16}
MTUS = {"wide": 517, "middle": 185, "narrow": 23}
SILENCE = 15.0


@scenario(guests=3, timeout=600.0)
async def star_keeps_packets_apart(rig: Rig) -> None:
    """A peripheral with three centrals of ATT MTU 517, 185 and 23: each packet where it belongs, whole, in order.

    The centrals are two hosts with BlueZ and one `BumbleDriver`. Where notifications reach all of them, one may see a
    packet for another: whole, or not at all.
    """
    hub, *spokes = await rig.guests(3, gatt_channels=1, mtus=[517, MTUS["wide"], MTUS["middle"]])
    nodes = {"hub": hub.helper("interface_node", NAMES["hub"].hex())}
    await nodes["hub"].expect("started", 40.0)
    nodes["hub"].send("stop_scanning")
    for name, guest in zip(("wide", "middle"), spokes, strict=True):
        nodes[name] = guest.helper("interface_node", NAMES[name].hex())
    nodes["narrow"] = await rig.host_program(
        "tests.bluez.guest_side.interface_node", NAMES["narrow"].hex(), "bumble", f"radio={rig.radio}", "mtu=23"
    )
    for name in MTUS:
        await nodes[name].expect("started", 40.0)
        nodes[name].send("stop_advertising")
    for name, mtu in MTUS.items():
        up = await nodes[name].expect("up", 60.0, peer=NAMES["hub"].hex())
        expect((up["role"], up["mtu"]) == ("central", mtu), f"{name}: {up}")
    ups = [await nodes["hub"].expect("up", 60.0) for _ in MTUS]
    expect({up["role"] for up in ups} == {"peripheral"}, f"the hub: {ups}")
    await asyncio.sleep(1.0)
    count = rig.times(PACKETS)
    plan = traffic(SEED, count, "hub", list(MTUS))
    await _play(nodes, count)
    arrived = {name: await _packets(node) for name, node in nodes.items()}
    overheard = _judge(plan, arrived)
    rig.note(f"{count} packets; overheard whole: {dict(overheard)}")


@scenario(guests=2, timeout=400.0)
async def a_central_leaves_and_another_stays(rig: Rig) -> None:
    """When one of two centrals leaves, BlueZ may close the socket of the other (bluez#1452): packets reach it still."""
    hub, spoke = await rig.guests(2, gatt_channels=1)
    node = hub.helper("interface_node", NAMES["hub"].hex())
    await node.expect("started", 40.0)
    node.send("stop_scanning")
    stays = spoke.helper("interface_node", NAMES["wide"].hex())
    await stays.expect("started", 40.0)
    stays.send("stop_advertising")
    await node.expect("up", 60.0, peer=NAMES["wide"].hex())
    sizes = itertools.count(1000)  # what is meant for one is told by its size from what it hears that is not
    for _ in range(2):
        leaves = await rig.host_program(
            "tests.bluez.guest_side.interface_node", NAMES["middle"].hex(), "bumble", f"radio={rig.radio}"
        )
        await leaves.expect("started", 40.0)
        leaves.send("stop_advertising")
        await node.expect("up", 60.0, peer=NAMES["middle"].hex())
        for name, central in (("wide", stays), ("middle", leaves)):
            await _reaches(node, NAMES[name], central, next(sizes))
        await leaves.stop()
        await node.expect("down", 40.0, peer=NAMES["middle"].hex())
        await _reaches(node, NAMES["wide"], stays, next(sizes))


async def _reaches(hub: Program, identity: bytes, central: Program, size: int) -> None:
    """See packets arrive at a central, whole and in order."""
    count = 20
    hub.send("send", peer=identity.hex(), count=count, size=size)
    central.send("heard", peer=NAMES["hub"].hex(), count=count, timeout=30.0, size=size)
    heard = await central.expect("heard", 40.0, peer=NAMES["hub"].hex())
    good = (heard["count"], heard["distinct"], heard["wrong"], heard["late"]) == (count, count, 0, 0)
    expect(good, f"{central}: {heard}")


async def _play(nodes: dict[str, Program], count: int) -> None:
    names = {name: identity.hex() for name, identity in NAMES.items()}
    for name, node in nodes.items():
        node.send("play", me=name, traffic=[SEED, count, "hub", list(MTUS)], names=names)
    for node in nodes.values():
        await node.expect("played", 60.0)
    for node in nodes.values():
        node.send("packets", silence=SILENCE)


async def _packets(node: Program) -> dict[str, Any]:
    report = await node.expect("packets", 400.0)
    expect(not any(report["dropped"].values()), f"dropped: {report['dropped']}")
    names = {identity.hex(): name for name, identity in NAMES.items()}
    return {names[peer]: digests for peer, digests in report["of"].items()}


def _judge(
    packets_sent: Sequence[tuple[str, list[str], bytes]], arrived: dict[str, dict[str, list[str]]]
) -> Counter[str]:
    """Fail unless everybody got what was meant for them, in order; return how many packets each overheard."""
    plan = [(sender, to, digest(packet)) for sender, to, packet in packets_sent]
    overheard: Counter[str] = Counter()
    for name, packets in arrived.items():
        for sender in {sender for sender, to, _ in plan if name in to}:
            meant = [what for who, to, what in plan if who == sender and name in to]
            got = packets.get(sender, [])
            known = {what for who, _, what in plan if who == sender}
            expect(set(got) <= known, f"{name} got from {sender} what was never sent")
            stream = iter(got)
            missing = sum(what not in stream for what in meant)
            expect(not missing, f"{name} lacks {missing} of {len(meant)} packets from {sender}, or their order")
            overheard[name] += len(got) - len(meant)
    expect(not overheard["hub"], f"the hub got {overheard['hub']} packets twice")
    return overheard


#: In the chain, each is a host; those in the middle forward.
CHAIN = ("alice", "bob", "carol", "dave")
#: Characters.
LONG_MESSAGE = 16 * 1024


@scenario(guests=4, timeout=500.0, on=("bookworm",))
async def chain_carries_packets_over_three_hops(rig: Rig) -> None:
    """Four hosts with Reticulum, each hearing its neighbours only: messages from end to end."""
    guests = await rig.guests(4, gatt_channels=1)
    far = [(one, two) for one, two in itertools.combinations(range(len(CHAIN)), 2) if two - one > 1]
    rig.radio.wall_off([(guests[one].address, guests[two].address) for one, two in far])
    nodes = []
    for guest, name in zip(guests, CHAIN, strict=True):
        await reticulum.prepare(guest, transport=name in CHAIN[1:-1])
        nodes.append(reticulum.start(guest, name))
    for node in nodes:
        await node.expect("up", 90.0)
    alice, dave = nodes[0], nodes[-1]
    begun = time.monotonic()
    heard, back = await asyncio.gather(
        alice.expect("heard", 150.0, peer="dave"), dave.expect("heard", 150.0, peer="alice")
    )
    hops = len(CHAIN) - 1
    expect((heard["hops"], back["hops"]) == (hops, hops), f"hops: {heard} {back}")
    rig.note(f"both ends heard each other over {hops} hops after {time.monotonic() - begun:.1f} s")
    begun = time.monotonic()
    alice.type("direct dave hello over three hops")
    await dave.expect("message_received", 60.0, text="hello over three hops", verified=True)
    await alice.expect("message_delivered", 60.0)
    rig.note(f"message and proof in {time.monotonic() - begun:.1f} s")
    # Long, so that it goes as a resource over a link, which Reticulum sets up over all hops.
    text = random.Random(SEED).randbytes(LONG_MESSAGE // 2).hex()
    begun = time.monotonic()
    dave.type(f"direct alice {text}")
    await alice.expect("message_received", 120.0, text=text, verified=True)
    rig.note(f"{LONG_MESSAGE // 1024} KiB the other way at {LONG_MESSAGE / 1000 / (time.monotonic() - begun):.1f} kB/s")
