"""`BleakDriver` and `BLEInterface` on real BlueZ: against the bumble radio, and two hosts against each other."""

from __future__ import annotations

import asyncio
from typing import Any

from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.guest import Guest
from ..vm.program import Program

ALICE, BOB = b"A" * 15 + b"1", b"B" * 15 + b"2"
COUNT, SIZE = 200, 1000


async def _node(guest: Guest, identity: bytes) -> Program:
    node = guest.helper("interface_node", identity.hex())
    await node.expect("started", 30.0)
    return node


async def _carry(rig: Rig, source: Program, sink: Program, to: bytes, sender: bytes, what: str) -> None:
    """Send packets one way and see them whole and in order."""
    source.send("send", peer=to.hex(), count=COUNT, size=SIZE)
    sink.send("heard", peer=sender.hex(), count=COUNT, timeout=90.0)
    heard = await sink.expect("heard", 100.0, peer=sender.hex())
    good = (heard["count"], heard["distinct"], heard["wrong"], heard["late"]) == (COUNT, COUNT, 0, 0)
    expect(good, f"{what}: {heard}")
    rig.note(f"{what} {COUNT * SIZE / 1000 / heard['seconds']:.1f} kB/s")


@scenario(guests=2, timeout=400.0)
async def two_hosts_link_and_carry_packets(rig: Rig) -> None:
    """Two hosts, both scanning and advertising: one link, packets whole and in order in both roles, a clean end."""
    a, b = await rig.guests(2, gatt_channels=1)
    alice, bob = await _node(a, ALICE), await _node(b, BOB)
    up: dict[str, Any] = await alice.expect("up", 60.0, peer=BOB.hex())
    other = await bob.expect("up", 60.0, peer=ALICE.hex())
    expect({up["role"], other["role"]} == {"central", "peripheral"}, f"roles: {up} {other}")
    rig.note(f"alice is {up['role']}, MTU {up['mtu']}")
    await _carry(rig, alice, bob, BOB, ALICE, f"from the {up['role']}")
    await _carry(rig, bob, alice, ALICE, BOB, f"from the {other['role']}")
    alice.send("stop")
    stopped = await alice.expect("stopped", 20.0)
    expect(stopped["seconds"] < 5.0 and stopped["threads"] == [], f"stop: {stopped}")
    rig.note(f"stop in {stopped['seconds']} s")
    await bob.expect("down", 30.0, peer=ALICE.hex())


@scenario(guests=1)
async def a_host_and_bumble_link(rig: Rig) -> None:
    """`BleakDriver` on BlueZ and `BumbleDriver` without, both scanning and advertising: one link, packets both ways."""
    (guest,) = await rig.guests(1, gatt_channels=1)
    alice = await _node(guest, ALICE)
    bob = await rig.host_program("tests.bluez.guest_side.interface_node", BOB.hex(), "bumble", f"radio={rig.radio}")
    up: dict[str, Any] = await alice.expect("up", 60.0, peer=BOB.hex())
    await bob.expect("up", 60.0, peer=ALICE.hex())
    rig.note(f"the host with BlueZ is {up['role']}, MTU {up['mtu']}")
    await _carry(rig, alice, bob, BOB, ALICE, "from BlueZ")
    await _carry(rig, bob, alice, ALICE, BOB, "from bumble")


@scenario(guests=1)
async def several_bearers_are_complained_of(rig: Rig) -> None:
    """Where bluetoothd, as it comes, spreads a link over several ATT bearers, a person is told what to change."""
    (guest,) = await rig.guests(1)
    node = guest.helper("interface_node", ALICE.hex())
    await node.expect("started", 30.0)
    if rig.root.name == "bookworm":
        error = await node.expect("error", 20.0)
        expect("Channels = 1" in error["text"], f"the error is {error}")
        rig.note(error["text"])
    else:
        await asyncio.sleep(5.0)
        expect(node.events.empty(), f"it complains of what is well: {node.events}")
