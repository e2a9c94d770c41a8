"""Two full Reticulum nodes, each on its own host with its own kernel and BlueZ."""

from __future__ import annotations

import shlex
import time

from ..rig import Rig
from ..scenario import scenario
from ..vm.guest import Guest
from ..vm.program import Program

CONFIG = """\
[reticulum]
  enable_transport = No
  share_instance = No
  panic_on_interface_error = No
[logging]
  loglevel = 5
[interfaces]
  [[Bluetooth]]
    type = BLEInterface
    enabled = Yes
    driver = bleak
    adapter = hci0
    passphrase = the same on both
"""
LOADER = "from ble_interface.reticulum import interface_class\n"
FILE_SIZE = 64 * 1024


async def _node(guest: Guest, name: str) -> Program:
    """Start a node as a user would: a configuration directory, the one-line interface file, a program."""
    await guest.tool("mkdir", "-p", "/tmp/rns/interfaces")
    for path, text in (("/tmp/rns/config", CONFIG), ("/tmp/rns/interfaces/BLEInterface.py", LOADER)):
        await guest.tool("sh", "-c", f"printf %s {shlex.quote(text)} >{path}")
    node = guest.example("reticulum_node.py", "--config", "/tmp/rns", "--name", name)
    await node.expect("up", 60.0)
    return node


@scenario(guests=2, timeout=400.0)
async def two_reticulum_nodes_talk(rig: Rig) -> None:
    """Announces, messages with proofs, and a file of 64 KiB each way, with an access code on the air."""
    a, b = await rig.guests(2, gatt_channels=1)
    alice, bob = await _node(a, "alice"), await _node(b, "bob")
    begun = time.monotonic()
    await alice.expect("heard", 90.0, peer="bob")
    await bob.expect("heard", 90.0, peer="alice")
    rig.note(f"both heard each other's announce after {time.monotonic() - begun:.1f} s")
    await a.tool("sh", "-c", f"head -c {FILE_SIZE} /dev/urandom >/tmp/file")
    await b.tool("sh", "-c", f"head -c {FILE_SIZE} /dev/urandom >/tmp/file")
    for node, name, other, peer in ((alice, "alice", bob, "bob"), (bob, "bob", alice, "alice")):
        begun = time.monotonic()
        node.type(f"direct {peer} hello from {name}")
        await other.expect("message_received", 60.0, text=f"hello from {name}", verified=True)
        await node.expect("message_delivered", 60.0)
        rig.note(f"message from {name} and its proof in {time.monotonic() - begun:.1f} s")
        begun = time.monotonic()
        node.type(f"file {peer} /tmp/file")
        sent = await node.expect("file_sent", 60.0)
        await other.expect("file_received", 120.0, sha256=sent["sha256"])
        await node.expect("file_delivered", 60.0)
        rig.note(f"64 KiB from {name}: {FILE_SIZE / 1000 / (time.monotonic() - begun):.1f} kB/s")
