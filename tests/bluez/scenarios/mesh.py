"""More than two hosts: a star around one peripheral, and a chain in which only neighbours hear each other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from ..guest_side.wire import digest, traffic
from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.program import Program

#: Packets of `wire.traffic`.
PACKETS, SEED = 400, 1
NAMES = {"hub": b"H" * 16, "wide": b"W" * 16, "middle": b"M" * 16, "narrow": b"N" * 16}
MTUS = {"wide": 517, "middle": 185, "narrow": 23}
SILENCE = 3.0


@scenario(guests=3, timeout=600.0)
async def star_keeps_packets_apart(rig: Rig) -> None:
    """A peripheral with three centrals of ATT MTU 517, 185 and 23: each packet where it belongs, whole, in order.

    The centrals are two hosts with BlueZ and one `BumbleDriver`. Notifications reach all of them, so that one may see a
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
    seconds = await _play(nodes)
    arrived = {name: await _packets(node) for name, node in nodes.items()}
    overheard = _judge(arrived)
    size = sum(len(packet) * len(to) for _, to, packet in traffic(SEED, PACKETS, "hub", list(MTUS)))
    rig.note(f"{PACKETS} packets, {size / 1000 / seconds:.1f} kB/s in all; overheard whole: {dict(overheard)}")


async def _play(nodes: dict[str, Program]) -> float:
    begun = time.monotonic()
    names = {name: identity.hex() for name, identity in NAMES.items()}
    for name, node in nodes.items():
        node.send("play", me=name, traffic=[SEED, PACKETS, "hub", list(MTUS)], names=names)
    for node in nodes.values():
        await node.expect("played", 60.0)
    for node in nodes.values():
        node.send("packets", silence=SILENCE)
    return time.monotonic() - begun


async def _packets(node: Program) -> dict[str, Any]:
    report = await node.expect("packets", 400.0)
    expect(not any(report["dropped"].values()), f"dropped: {report['dropped']}")
    names = {identity.hex(): name for name, identity in NAMES.items()}
    return {names[peer]: digests for peer, digests in report["of"].items()}


def _judge(arrived: dict[str, dict[str, list[str]]]) -> Counter[str]:
    """Fail unless everybody got what was meant for them, in order; return how many packets each overheard."""
    plan = [(sender, to, digest(packet)) for sender, to, packet in traffic(SEED, PACKETS, "hub", list(MTUS))]
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
