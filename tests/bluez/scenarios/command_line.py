"""`ble-interface` between two hosts, and beside a node that runs: what the README's first ten minutes promise."""

from __future__ import annotations

import asyncio
import json
from signal import Signals
from typing import Any

from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.guest import Guest
from ..vm.program import Program

#: Seconds that a command may take until it says something: an emulated processor imports all libraries anew each time.
START_TIMEOUT = 60.0
#: Seconds from there to a link and what it is for.
LINK_TIMEOUT = 60.0
#: KiB of the file that is sent, and of what is measured each way.
KIB = 20
FILE, PLACE = "/run/rig/fox.bin", "/run/rig/arrived"
IDENTITIES = ("a1" * 16, "b2" * 16)


def _command(guest: Guest, *args: str) -> Program:
    return guest.python("ble_cli", *args)


def _talk(guest: Guest, *args: str) -> Program:
    """Start a command that meets its like, on BlueZ."""
    return _command(guest, *args, "--driver", "bleak", "--json")


async def _done(program: Program, timeout: float) -> dict[str, Any]:
    """Return what a command says at its end, which must be good."""
    done = await program.expect("done", timeout)
    expect(done["ok"], f"{program}: {done['reason']}")
    expect(await program.wait(20.0) == 0, f"{program} ended with an error")
    _expect_no_traceback(program)
    return done


def _expect_no_traceback(program: Program) -> None:
    expect(not any("Traceback" in line for line in program.errors), f"{program}: {program.errors}")


async def _interrupt(program: Program) -> dict[str, Any]:
    """End it as Ctrl-C does."""
    program.signal(Signals.SIGINT)
    return await _done(program, 30.0)


@scenario(guests=2, timeout=300.0, on=("bookworm",))
async def commands_between_hosts(rig: Rig) -> None:
    """send and receive move a file, chat says lines both ways, bench gives figures."""
    a, b = await rig.guests(2, gatt_channels=1)
    await _move_a_file(rig, a, b)
    await _say_lines(rig, a, b)
    await _measure(rig, a, b)


async def _move_a_file(rig: Rig, a: Guest, b: Guest) -> None:
    await a.tool("sh", "-c", f"head -c {KIB * 1024} /dev/urandom >{FILE}")
    (line,) = await a.tool("sha256sum", FILE)
    digest = line.split()[0]
    await b.tool("mkdir", "-p", PLACE)
    ends = (_talk(b, "receive", "--to", PLACE, "--name", "bob"), _talk(a, "send", FILE, "--name", "alice"))
    received, sent = await asyncio.gather(*(_done(end, START_TIMEOUT + 2 * LINK_TIMEOUT) for end in ends))
    (line,) = await b.tool("sha256sum", received["file"])
    hashes = {digest, sent["sha256"], received["sha256"], line.split()[0]}
    expect(len(hashes) == 1, f"different hashes: {hashes}")
    rig.note(f"receive: {received['reason']}")


async def _say_lines(rig: Rig, a: Guest, b: Guest) -> None:
    alice, bob = _talk(a, "chat", "--name", "alice"), _talk(b, "chat", "--name", "bob")
    met = await alice.expect("connected", START_TIMEOUT + LINK_TIMEOUT, name="bob")
    await bob.expect("connected", LINK_TIMEOUT, name="alice")
    alice.type("the quick brown fox")
    await bob.expect("received", LINK_TIMEOUT, name="alice", text="the quick brown fox")
    bob.type("jumps over the lazy dog")
    await alice.expect("received", LINK_TIMEOUT, name="bob", text="jumps over the lazy dog")
    receipt = await bob.expect("verified", LINK_TIMEOUT)
    done = await _interrupt(alice)
    await bob.expect("disconnected", 20.0, name="alice")
    await _interrupt(bob)
    rig.note(f"chat: {done['reason']}, as {met['role']}, a receipt after {receipt['seconds']} s")


async def _measure(rig: Rig, a: Guest, b: Guest) -> None:
    answer = _talk(b, "bench", "--name", "bob")
    bench = _talk(a, "bench", "bob", "--name", "alice", "--kib", str(KIB))
    done = await _done(bench, START_TIMEOUT + 2 * LINK_TIMEOUT)
    for way in ("out", "into"):
        expect(done[way]["bytes"] == KIB * 1024 and not done[way]["lost"], f"{way}: {done[way]}")
    await _interrupt(answer)
    rig.note(f"bench: {done['reason']}")


@scenario(guests=2, timeout=300.0, on=("bookworm",))
async def commands_beside_a_node(rig: Rig) -> None:
    """status, monitor, scan and a second program beside a node: each says what it should, and the link outlives it."""
    a, b = await rig.guests(2, gatt_channels=1)
    nodes = [guest.helper("interface_node", identity) for guest, identity in zip((a, b), IDENTITIES, strict=True)]
    await asyncio.gather(*(node.expect("up", START_TIMEOUT + LINK_TIMEOUT) for node in nodes))

    status = _command(a, "status", "--json")
    expect(await status.wait(START_TIMEOUT) == 0, f"status: {status.errors}")
    (node,) = json.loads("\n".join(status.output))["nodes"]
    (peer,) = node["peers"]
    expect((peer["identity"], peer["address"]) == (IDENTITIES[1], b.address), f"the peer is {peer}")
    rig.note(f"status: {node['name']} has {peer['identity'][:8]} as {peer['role']}, MTU {peer['mtu']}")

    monitor = _command(a, "monitor", "--seconds", "5")
    expect(await monitor.wait(START_TIMEOUT) == 0, f"monitor: {monitor.errors}")
    expect(any(IDENTITIES[0][:8] in line for line in monitor.output), f"monitor: {monitor.output}")

    scan = _talk(a, "scan", "--seconds", "15")
    found = await scan.expect("discovered", START_TIMEOUT + 20.0, address=b.address)
    await _done(scan, 40.0)
    expect(found["identity"] == IDENTITIES[1], f"found {found}")
    rig.note(f"scan: {found['identity'][:8]} at {found['rssi']} dBm")

    chat = _talk(a, "chat", "--name", "alice")
    told = await chat.expect("error", START_TIMEOUT + 20.0)
    expect("the adapter hci0 is held by process " in told["message"], f"the second program says {told}")
    expect("interface_node" in told["message"], f"it does not say who holds the adapter: {told}")
    await _interrupt(chat)
    rig.note(f"a second program: {told['message']}")

    for program in nodes:
        lost = [event for event in _untaken(program) if event and event["event"] == "down"]
        expect(not lost, f"{program} lost its link meanwhile: {lost}")
    nodes[0].send("send", peer=IDENTITIES[1], count=10, size=500)
    nodes[1].send("heard", peer=IDENTITIES[0], count=10)
    heard = await nodes[1].expect("heard", 70.0)
    expect((heard["distinct"], heard["wrong"], heard["late"]) == (10, 0, 0), f"heard {heard}")


def _untaken(program: Program) -> list[dict[str, Any] | None]:
    """Return the events that nobody has waited for."""
    return [program.events.get_nowait() for _ in range(program.events.qsize())]
