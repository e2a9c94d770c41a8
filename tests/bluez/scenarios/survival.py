"""What happens to hosts, and that `BleakDriver` comes back by itself, saying what was wrong."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from signal import Signals

from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.guest import Guest
from ..vm.program import Program

ALICE, BOB = b"A" * 15 + b"1", b"B" * 15 + b"2"
COUNT, SIZE = 40, 1000


class Pair:
    """Two linked nodes."""

    def __init__(self, rig: Rig, a: Guest, b: Guest, alice: Program, bob: Program) -> None:
        self.rig, self.a, self.b, self.alice, self.bob = rig, a, b, alice, bob

    @classmethod
    async def link(cls, rig: Rig) -> Pair:
        """Return two hosts that are linked and have exchanged packets."""
        a, b = await rig.guests(2, gatt_channels=1)
        pair = cls(rig, a, b, await start_node(a, ALICE), await start_node(b, BOB))
        await pair.linked(60.0)
        await pair.carry()
        return pair

    async def linked(self, timeout: float) -> None:
        """See both linked."""
        await self.alice.expect("up", timeout, peer=BOB.hex())
        await self.bob.expect("up", timeout, peer=ALICE.hex())

    async def lost(self, *, timeout: float = 40.0) -> None:
        """See both without a link."""
        await self.alice.expect("down", timeout, peer=BOB.hex())
        await self.bob.expect("down", timeout, peer=ALICE.hex())

    async def carry(self) -> None:
        """Send packets both ways and see them whole and in order."""
        ways = ((self.alice, self.bob, BOB, ALICE), (self.bob, self.alice, ALICE, BOB))
        for source, _, to, _ in ways:
            source.send("send", peer=to.hex(), count=COUNT, size=SIZE)
        for _, sink, _, sender in ways:
            sink.send("heard", peer=sender.hex(), count=COUNT, timeout=60.0)
            heard = await sink.expect("heard", 70.0, peer=sender.hex())
            good = (heard["count"], heard["distinct"], heard["wrong"], heard["late"]) == (COUNT, COUNT, 0, 0)
            expect(good, f"packets: {heard}")

    async def recovers(self, what: str, since: float) -> None:
        """See them linked again and at work, and note how long that took."""
        await self.linked(90.0)
        self.rig.note(f"linked again {time.monotonic() - since:.1f} s after {what}")
        await self.carry()


async def start_node(guest: Guest, identity: bytes) -> Program:
    """Start a node, and wait until it has begun."""
    node = guest.helper("interface_node", identity.hex())
    await node.expect("started", 40.0)
    return node


async def _survive(
    rig: Rig, harm: Callable[[Guest], Awaitable[None]], word: str, mend: Callable[[Guest], Awaitable[None]], what: str
) -> None:
    pair = await Pair.link(rig)
    await harm(pair.a)
    error = await pair.alice.expect("error", 20.0)
    expect(word in error["text"], f"the error is {error}")
    await pair.bob.expect("down", 40.0, peer=ALICE.hex())
    await mend(pair.a)
    await pair.recovers(what, time.monotonic())


async def _nothing(_: Guest) -> None:
    """What mends itself."""


@scenario(guests=2, timeout=300.0, on=("trixie",))
async def bluetoothd_killed(rig: Rig) -> None:
    """bluetoothd dies and is started again."""
    await _survive(rig, Guest.kill_bluetoothd, "bluetoothd has ended", _nothing, "bluetoothd was killed")


@scenario(guests=2, timeout=300.0, on=("bookworm",))
async def power_switched_off_and_on(rig: Rig) -> None:
    """A person switches the adapter off: the driver leaves it off until somebody switches it on again."""
    await _survive(
        rig, lambda a: a.set_power(False), "switched off", lambda a: a.set_power(True), "the adapter was switched on"
    )


@scenario(guests=2, timeout=300.0, on=("bookworm",))
async def adapter_removed_and_back(rig: Rig) -> None:
    """The adapter is pulled out, and plugged in again."""
    await _survive(rig, Guest.unplug_adapter, "removed", Guest.plug_adapter, "the adapter was plugged in")


@scenario(guests=2, timeout=300.0, on=("bookworm",))
async def dbus_gone_and_back(rig: Rig) -> None:
    """D-Bus is killed, which takes bluetoothd with it."""
    await _survive(rig, Guest.restart_dbus, "D-Bus", _nothing, "D-Bus was killed")


@scenario(guests=2, timeout=300.0, on=("bookworm",))
async def process_killed_and_started_again(rig: Rig) -> None:
    """A node is killed: bluetoothd keeps its link and its devices; the new process and the peer come together again."""
    pair = await Pair.link(rig)
    pair.alice.signal(Signals.SIGKILL)
    await pair.alice.wait(10.0)
    since = time.monotonic()
    pair.alice = await start_node(pair.a, ALICE)
    await pair.recovers("the process was killed", since)


@scenario(guests=2, timeout=300.0, on=("trixie",))
async def peer_vanishes_without_a_word(rig: Rig) -> None:
    """The battery of a peer is taken out: its link is reported as gone, and the node stays well."""
    pair = await Pair.link(rig)
    await pair.b.kill()
    since = time.monotonic()
    await pair.alice.expect("down", 40.0, peer=BOB.hex())
    rig.note(f"noticed after {time.monotonic() - since:.1f} s")
    stranger = await rig.bumble(b"S" * 16)
    stranger.driver.start_advertising()
    await stranger.expect("connected", 60.0, pair.a.address)


@scenario(guests=2, timeout=300.0, on=("trixie",))
async def adapter_used_by_another_program(rig: Rig) -> None:
    """Another program scans on the same adapter all the time."""
    a, b = await rig.guests(2, gatt_channels=1)
    a.start("sh", "-c", "(echo scan on; sleep 1000) | bluetoothctl")
    begun = time.monotonic()
    pair = Pair(rig, a, b, await start_node(a, ALICE), await start_node(b, BOB))
    await pair.linked(90.0)
    rig.note(f"linked {time.monotonic() - begun:.1f} s after the start, with another program scanning")
    await pair.carry()


#: Lets nobody but root and a group talk to bluetoothd, as distributions do that ship a stricter policy than Debian 13.
STRICT_POLICY = """<busconfig>
<policy context="default"><deny send_destination="org.bluez"/></policy>
<policy group="bluetooth"><allow send_destination="org.bluez"/></policy>
</busconfig>"""
POLICY_FILE = "/etc/dbus-1/system.d/zz-strict.conf"
#: The environment of these guests is where only root may look.
AS_USER = (
    *("setpriv", "--reuid=nobody", "--regid=nogroup"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)


@scenario(guests=2, timeout=300.0)
async def a_user_without_root(rig: Rig) -> None:
    """No root is needed; and where the policy of D-Bus wants a group, the driver says which."""
    a, b = await rig.guests(2, gatt_channels=1)
    bob = await start_node(b, BOB)
    node = (a.interpreter, "-m", "tests.bluez.guest_side.interface_node", ALICE.hex())
    await a.write(POLICY_FILE, STRICT_POLICY)
    try:
        await _reload_policy(a)
        alice = a.start(*AS_USER, "--clear-groups", *node)
        error = await alice.expect("error", 40.0)
        expect("usermod -aG bluetooth" in error["text"], f"the error is {error}")
        rig.note(error["text"])
        await alice.stop()
        alice = a.start(*AS_USER, "--groups=bluetooth", *node)
        await Pair(rig, a, b, alice, bob).linked(60.0)
        alice.send("stop")
        await alice.expect("stopped", 20.0)
        await bob.expect("down", 40.0, peer=ALICE.hex())
    finally:
        await a.tool("rm", POLICY_FILE)
        await _reload_policy(a)
    alice = a.start(*AS_USER, "--clear-groups", *node)
    pair = Pair(rig, a, b, alice, bob)
    await pair.linked(60.0)
    await pair.carry()


async def _reload_policy(guest: Guest) -> None:
    bus = "org.freedesktop.DBus"
    await guest.tool("dbus-send", "--system", "--print-reply", f"--dest={bus}", "/", f"{bus}.ReloadConfig")
