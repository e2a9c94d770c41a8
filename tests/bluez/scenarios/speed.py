"""How fast two hosts with BlueZ carry packets, what that costs their processors, and which of two ways costs less.

It measures, and judges nothing but that all arrived: `make test-bluez SCENARIOS=speed`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.guest import Guest
from ..vm.program import Program

ALICE, BOB = b"A" * 15 + b"1", b"B" * 15 + b"2"
#: Packets each way, and the bytes of one.
PACKETS, SIZE = 1000, 1000
#: Seconds that a link, and all packets of one direction, may take.
LINK_TIME, CARRY_TIME = 90.0, 240.0
#: Clock ticks in a second, as /proc counts them (proc(5); USER_HZ is 100 on all of Linux's machines here).
TICKS = 100
#: Whose processor time counts, beside the node's own.
DAEMONS = ("dbus-daemon", "bluetoothd")
RUN = "from tests.bluez.guest_side.interface_node import main; main()"
#: Ways to carry the same packets, and what makes a node take each; the last two change what is never changed in use.
WAYS: Mapping[str, str] = {
    "as it is": "",
    "a write request for each frame": "from ble_driver.base_driver import sending; sending.WINDOW = 1",
    "no notify sockets": (
        "from drivers.bleak_driver.notify_sockets import NotifySockets as Sockets; "
        "Sockets.__contains__ = Sockets.are_private = lambda *_: False"
    ),
}


@dataclass(frozen=True)
class Node:
    """A host and its node."""

    guest: Guest
    program: Program
    pid: int
    identity: bytes

    async def cpu(self) -> dict[str, float]:
        """Return the seconds of processor time of the node and of each daemon until now."""
        # Tasks may end while they are listed.
        lines = await self.guest.tool("sh", "-c", 'grep -H "" /proc/[0-9]*/task/*/stat 2>/dev/null; true')
        seconds = dict.fromkeys(("node", *DAEMONS), 0.0)
        names: dict[str, str] = {str(self.pid): "node"}
        spent: list[tuple[str, float]] = []
        for line in lines:
            path, stat = line.split(":", 1)
            pid, task = path.split("/")[2], path.split("/")[4]
            command, fields = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
            if pid == task:  # its first thread has the name of the program
                names.setdefault(pid, command)
            spent.append((pid, (int(fields[11]) + int(fields[12])) / TICKS))
        for pid, time_spent in spent:
            if names.get(pid) in seconds:
                seconds[names[pid]] += time_spent
        return seconds


@scenario(guests=2, timeout=1500.0, on=(), alone=True)
async def speed(rig: Rig) -> None:
    """Goodput each way, time to a link, and processor time for each megabyte, by all ways of carrying packets."""
    for way, change in WAYS.items():
        a, b = await rig.guests(2, gatt_channels=1)
        bob = await _start(rig, b, BOB, change)
        bob.program.send("stop_scanning")  # so that Alice is central, and each way is one kind of traffic
        alice = await _start(rig, a, ALICE, change)
        begun = time.monotonic()
        up = await alice.program.expect("up", LINK_TIME, peer=BOB.hex())
        expect(up["role"] == "central", f"alice: {up}")
        await bob.program.expect("up", LINK_TIME, peer=ALICE.hex())
        rig.note(f"{way}: linked after {time.monotonic() - begun:.1f} s, ATT MTU {up['mtu']}")
        await _carry(rig, f"{way}, writes", alice, bob)
        await _carry(rig, f"{way}, notifications", bob, alice)


async def _start(rig: Rig, guest: Guest, identity: bytes, change: str) -> Node:
    program = guest.start(rig.root.python, "-c", f"{change}\n{RUN}", identity.hex())
    started = await program.expect("started", 60.0)
    return Node(guest, program, started["pid"], identity)


async def _carry(rig: Rig, what: str, sender: Node, receiver: Node) -> None:
    """Send packets one way, and note how fast they came and what that took at each end."""
    count = rig.times(PACKETS)
    before = [await node.cpu() for node in (sender, receiver)]
    begun = time.monotonic()
    sender.program.send("send", peer=receiver.identity.hex(), count=count, size=SIZE)
    receiver.program.send("heard", peer=sender.identity.hex(), count=count, timeout=CARRY_TIME)
    heard = await receiver.program.expect("heard", CARRY_TIME + 20.0)
    seconds = time.monotonic() - begun
    after = [await node.cpu() for node in (sender, receiver)]
    expect(
        (heard["count"], heard["distinct"], heard["wrong"], heard["late"]) == (count, count, 0, 0), f"{what}: {heard}"
    )
    megabytes = count * SIZE / 1e6
    spent = [
        ", ".join(f"{name} {(end[name] - start[name]) / megabytes:.1f}" for name in start)
        for start, end in zip(before, after, strict=True)
    ]
    rig.note(f"{what}: {megabytes * 1e3 / seconds:.1f} kB/s; seconds of processor time a megabyte:")
    rig.note(f"    sender: {spent[0]}; receiver: {spent[1]}")
