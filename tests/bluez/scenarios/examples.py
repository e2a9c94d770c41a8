"""The examples, each on two hosts, as the README tells people to run them."""

from __future__ import annotations

import asyncio
from signal import Signals
from typing import Any

from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.guest import Guest
from ..vm.program import Program


async def _done(program: Program, timeout: float) -> dict[str, Any]:
    """Return what an example says at its end, which must be good."""
    done = await program.expect("done", timeout)
    expect(done["ok"], f"{program}: {done['reason']}")
    expect(await program.wait(10.0) == 0, f"{program} ended with an error")
    return done


def _listen(guest: Guest) -> Program:
    return guest.example("connect.py", "--listen", "--name", "bob", "--json")


@scenario(guests=2, on=("bookworm",))
async def example_scan(rig: Rig) -> None:
    """scan.py finds what advertises on the other host."""
    a, b = await rig.guests(2, gatt_channels=1)
    listener = _listen(b)
    await listener.expect("started", 40.0)
    scan = a.example("scan.py", "--seconds", "15", "--json")
    found = await scan.expect("discovered", 40.0, address=b.address)
    expect(found["name"] == "bob", f"found {found}")
    await _done(scan, 30.0)
    rig.note(f"heard {found['name']} at {found['rssi']} dBm")


@scenario(guests=2, on=("bookworm",))
async def example_connect(rig: Rig) -> None:
    """connect.py links to the other host, holds the link, and ends it in order."""
    a, b = await rig.guests(2, gatt_channels=1)
    listener = _listen(b)
    await listener.expect("started", 40.0)
    done = await _done(a.example("connect.py", "--seconds", "20", "--json"), 90.0)
    await listener.expect("disconnected", 20.0)
    rig.note(done["reason"])


@scenario(guests=2, on=("trixie",))
async def example_data_io(rig: Rig) -> None:
    """data_io.py carries "hello world" and 100 KiB each way, and both hashes match."""
    a, b = await rig.guests(2, gatt_channels=1)
    alice = a.example("data_io.py", "--name", "alice", "--json")
    bob = b.example("data_io.py", "--name", "bob", "--json")
    verified = [await alice.expect("verified", 150.0) for _ in range(2)]
    await asyncio.gather(_done(alice, 60.0), _done(bob, 60.0))
    rig.note(", ".join(f"{each['direction']} {each['kib_per_s']} KiB/s" for each in verified))


@scenario(guests=2, timeout=300.0, on=("trixie",))
async def example_race(rig: Rig) -> None:
    """race.py storms one peer with calls of connect: one attempt at a time, and nothing is left behind."""
    a, b = await rig.guests(2, gatt_channels=1)
    listener = _listen(b)
    await listener.expect("started", 40.0)
    done = await _done(a.example("race.py", "--json"), 240.0)
    rig.note(done["reason"])


@scenario(guests=2, timeout=300.0, on=("bookworm",))
async def example_shared_adapter(rig: Rig) -> None:
    """shared_adapter.py: a scanner and two clients share BlueZ's adapter; one of the nodes is a `BumbleDriver`."""
    a, b = await rig.guests(2, gatt_channels=1)
    carol = await rig.bumble(b"C" * 16)
    carol.driver.start_advertising("carol")
    listener = _listen(b)
    await listener.expect("started", 40.0)
    done = await _done(a.example("shared_adapter.py", "--rounds", "2", "--timeout", "180", "--json"), 200.0)
    expect(done["links"] == {"one": 2, "two": 2}, f"links: {done['links']}")
    for _ in range(2):
        await listener.expect("connected", 1.0)
        await carol.expect("connected", 1.0)
    rig.note(done["reason"])


async def _typed(rig: Rig, script: str, heard: str) -> None:
    """Let two people type into an example: each line is shown on the other host, and Ctrl-C ends it well."""
    a, b = await rig.guests(2, gatt_channels=1)
    names = ("alice", "bob")
    people = [guest.example(script, "--name", name, "--json") for guest, name in zip((a, b), names, strict=True)]
    for person in people:
        await person.expect("connected", 90.0)
    for speaker, listener, name in zip(people, reversed(people), names, strict=True):
        speaker.type(f"good morning from {name}")
        await listener.expect("received", 30.0, text=heard.format(name=name))
    for person in people:
        person.signal(Signals.SIGINT)
        await _done(person, 30.0)


@scenario(guests=2, on=("bookworm",))
async def example_chat(rig: Rig) -> None:
    """chat.py shows on each host what is typed on the other."""
    await _typed(rig, "chat.py", "good morning from {name}")


@scenario(guests=2, on=("trixie",))
async def example_mesh(rig: Rig) -> None:
    """mesh.py floods what is typed on each of two hosts."""
    await _typed(rig, "mesh.py", "{name}: good morning from {name}")


@scenario(guests=2, timeout=400.0, on=("bookworm",))
async def example_two_node_reticulum(rig: Rig) -> None:
    """two_node_reticulum.py: announces, an LXMF message with proof and 64 KiB each way, a passphrase on the air."""
    a, b = await rig.guests(2, gatt_channels=1)
    nodes = [
        guest.example("two_node_reticulum.py", "--name", name, "--passphrase", "the same", "--hold", "20", "--json")
        for guest, name in ((a, "alice"), (b, "bob"))
    ]
    ends = await asyncio.gather(*(_done(node, 300.0) for node in nodes))
    for name, done in zip(("alice", "bob"), ends, strict=True):
        expect(done["losses"] == 0, f"{name} lost its link {done['losses']} times")
        file = 64 * 1.024 / (done["file_proof"] - done["message_proof"])
        rig.note(
            f"{name}: heard after {done['heard']} s, proof of a message at {done['message_proof']} s, "
            f"64 KiB at {file:.1f} kB/s while as much came the other way"
        )
