"""Does the rig itself work: raw bleak and bluezero against the project's other radio and against each other."""

from __future__ import annotations

import time
from typing import Any

from ..guest_side.wire import frames
from ..rig import Rig
from ..scenario import expect, scenario

HOST_IDENTITY, GUEST_IDENTITY = bytes(range(16)), bytes(range(16, 32))
COUNT, SIZE = 100, 500


def rate(seconds: float) -> str:
    """Say how fast all frames were."""
    return f"{COUNT * SIZE / 1000 / seconds:.1f} kB/s"


def check(rig: Rig, received: dict[str, Any], *, may_be_late: bool = False) -> None:
    """Fail unless each frame arrived once as it was sent, and in order if that can be had."""
    right = received["count"] == received["distinct"] == COUNT and not received["wrong"]
    expect(right and (may_be_late or not received["late"]), f"frames: {received}")
    if may_be_late:
        rig.note(f"{received['late']} of {COUNT} frames were overtaken")


@scenario(guests=1)
async def boots_with_an_adapter(rig: Rig) -> None:
    """A guest comes up with a powered adapter that tools and D-Bus can see."""
    (guest,) = await rig.guests(1)
    rig.note(f"adapter {guest.address} up {guest.boot_seconds:.1f} s after the start of qemu")
    shown = await guest.tool("bluetoothctl", "show")
    expect(any(guest.address in line for line in shown), f"bluetoothctl shows {shown}")
    versions = await guest.tool("sh", "-c", "uname -r; bluetoothctl --version")
    rig.note("Linux " + ", ".join(versions))


@scenario(guests=1)
async def bleak_dials_bumble(rig: Rig) -> None:
    """A bleak central in a guest links to a `BumbleDriver` on the host; frames both ways."""
    (guest,) = await rig.guests(1)
    peer = await rig.bumble(HOST_IDENTITY)
    peer.driver.start_advertising()
    central = guest.helper("bleak_central", GUEST_IDENTITY.hex())
    found = await central.expect("found", 60.0, address=peer.address)
    connected = await central.expect("connected", 60.0)
    linked = await central.expect("linked", 30.0, identity=HOST_IDENTITY.hex())
    rig.note(
        f"found in {found['seconds']} s, connected and discovered in {connected['seconds']} s, MTU {linked['mtu']}, "
        f"identity {linked['read']} s, subscribed {linked['subscribe']} s, handshake {linked['handshake']} s"
    )
    address, _ = await peer.expect("connected", 10.0)
    expect(address == guest.address, f"the bumble peer is linked to {address}, not {guest.address}")
    (handshake,) = await peer.expect_frames(1, 10.0)
    expect(handshake == GUEST_IDENTITY, f"the handshake is {handshake.hex()}")
    peer.frames.clear()

    central.send("write", count=COUNT, size=SIZE)
    written = await central.expect("written", 120.0)
    expect(await peer.expect_frames(COUNT, 30.0) == frames(COUNT, SIZE), "frames to the host are not what was sent")
    start = time.monotonic()
    for frame in frames(COUNT, SIZE):
        await peer.send(address, frame)
    central.send("received", count=COUNT)
    check(rig, await central.expect("received", 120.0))
    rig.note(f"writes {rate(written['seconds'])}, notifications {rate(time.monotonic() - start)}")

    central.send("disconnect")
    left = await central.expect("left", 30.0)
    rig.note(f"disconnect in {left['seconds']} s")
    await peer.expect("disconnected", 10.0, address)
    await central.wait(20.0)


@scenario(guests=1, on=("bookworm",))
async def bumble_dials_bluezero(rig: Rig) -> None:
    """A `BumbleDriver` on the host links to a bluezero peripheral in a guest; frames both ways."""
    (guest,) = await rig.guests(1)
    server = guest.helper("bluezero_peripheral", GUEST_IDENTITY.hex())
    ready = await server.expect("ready", 60.0)
    expect(ready["address"] == guest.address, f"it serves on {ready['address']}, not {guest.address}")
    peer = await rig.bumble(HOST_IDENTITY)
    peer.driver.start_scanning()
    start = time.monotonic()
    await peer.expect("discovered", 30.0, guest.address)
    found = time.monotonic() - start
    peer.driver.connect(guest.address)
    _, mtu = await peer.expect("connected", 30.0, guest.address)
    linked = time.monotonic() - start - found
    expect(peer.driver.peer_identity(guest.address) == GUEST_IDENTITY, "the identity is not the guest's")
    rig.note(f"found in {found:.2f} s, linked in {linked:.2f} s, MTU {mtu}")
    await peer.send(guest.address, HOST_IDENTITY)
    shaken = await server.expect("handshake", 10.0, identity=HOST_IDENTITY.hex())
    rig.note(f"the server sees the write with {shaken['options']}")

    start = time.monotonic()
    for frame in frames(COUNT, SIZE):
        await peer.send(guest.address, frame, 30.0)
    server.send("received", count=COUNT)
    check(rig, await server.expect("received", 120.0))
    written = time.monotonic() - start
    start = time.monotonic()
    server.send("notify", count=COUNT, size=SIZE)
    expect(await peer.expect_frames(COUNT, 60.0) == frames(COUNT, SIZE), "frames to the host are not what was sent")
    rig.note(f"writes {rate(written)}, notifications {rate(time.monotonic() - start)}")
    peer.driver.disconnect(guest.address)
    await peer.expect("disconnected", 10.0, guest.address)
    await server.expect("went", 10.0)


@scenario(guests=2, on=("bookworm",))
async def bleak_dials_bluezero(rig: Rig) -> None:
    """A bleak central in one guest links to a bluezero peripheral in another; frames both ways, all of them.

    With BlueZ as it comes. BlueZ 5.66 opens further ATT bearers (EATT) to another BlueZ and spreads frames over them,
    so that some overtake others.
    """
    await _link_two_guests(rig, None)


@scenario(guests=2)
async def one_bearer_keeps_order(rig: Rig) -> None:
    """The same with EATT switched off in both guests: frames arrive in order."""
    await _link_two_guests(rig, 1)


async def _link_two_guests(rig: Rig, channels: int | None) -> None:
    a, b = await rig.guests(2, gatt_channels=channels)
    server = b.helper("bluezero_peripheral", HOST_IDENTITY.hex(), "nodeB")
    await server.expect("ready", 60.0)
    central = a.helper("bleak_central", GUEST_IDENTITY.hex())
    found = await central.expect("found", 60.0, address=b.address, name="nodeB")
    connected = await central.expect("connected", 60.0)
    linked = await central.expect("linked", 30.0, identity=HOST_IDENTITY.hex())
    shaken = await server.expect("handshake", 10.0, identity=GUEST_IDENTITY.hex())
    rig.note(
        f"found in {found['seconds']} s, connected and discovered in {connected['seconds']} s, MTU {linked['mtu']}, "
        f"identity {linked['read']} s, subscribed {linked['subscribe']} s, handshake {linked['handshake']} s"
    )
    rig.note(f"the server sees the write with {shaken['options']}")
    central.send("write", count=COUNT, size=SIZE)
    written = await central.expect("written", 120.0)
    server.send("received", count=COUNT)
    check(rig, await server.expect("received", 120.0), may_be_late=channels != 1)
    start = time.monotonic()
    server.send("notify", count=COUNT, size=SIZE)
    central.send("received", count=COUNT)
    check(rig, await central.expect("received", 120.0), may_be_late=channels != 1)
    rig.note(f"writes {rate(written['seconds'])}, notifications {rate(time.monotonic() - start)}")
    central.send("disconnect")
    await central.expect("left", 30.0)
    await server.expect("went", 10.0)


@scenario(guests=1, on=("bookworm",))
async def killed_guest_times_out(rig: Rig) -> None:
    """A guest that dies without a word is reported as disconnected after the supervision timeout."""
    (guest,) = await rig.guests(1)
    peer = await rig.bumble(HOST_IDENTITY)
    peer.driver.start_advertising()
    central = guest.helper("bleak_central", GUEST_IDENTITY.hex())
    await central.expect("linked", 120.0)
    await peer.expect("connected", 10.0, guest.address)
    await guest.kill()
    start = time.monotonic()
    await peer.expect("disconnected", 30.0, guest.address)
    rig.note(f"noticed after {time.monotonic() - start:.2f} s")
