"""rnsd as a service of systemd, as `examples/rnsd.service` has it."""

from __future__ import annotations

import json
import time

from .. import reticulum
from ..rig import REPO as HOST_REPO
from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.guest import REPO, Guest

UNIT, USER = "rnsd.service", "pi"
HOME, UNITS = f"/home/{USER}", "/run/systemd/system"
#: What the rig's guest does not start: it has neither systemd's other units nor BlueZ's, but bluetoothd runs.
ALONE = "[Unit]\nDefaultDependencies=no\n"
#: The guest's Python is the rig's, and in a directory of root.
RNSD = '#!/bin/sh\ncd {repo} && exec {python} -m RNS.Utilities.rnsd "$@"\n'
BOB = b"B" * 16
START_TIMEOUT, LINK_TIMEOUT = 90.0, 90.0


async def _set_up(guest: Guest) -> None:
    """Do what the unit's first lines tell people to do, for a user of its name."""
    await guest.tool("useradd", "--create-home", USER)
    await guest.tool("chmod", "o+x", "/root")
    rnsd = f"{HOME}/venv/bin/rnsd"
    await guest.write(rnsd, RNSD.format(repo=REPO, python=guest.interpreter))
    await guest.tool("chmod", "+x", rnsd)
    await reticulum.prepare(guest, f"{HOME}/.reticulum")
    await guest.tool("chown", "-R", f"{USER}:", HOME)
    await guest.write(f"{UNITS}/{UNIT}", (HOST_REPO / "examples" / UNIT).read_text())
    await guest.write(f"{UNITS}/{UNIT}.d/alone.conf", ALONE)
    await guest.tool("ln", "-s", "/dev/null", f"{UNITS}/bluetooth.service")


async def _systemctl(guest: Guest, *args: str) -> list[str]:
    """Run systemctl where systemd is the first process: it speaks with no other."""
    (manager,) = await guest.tool("pidof", "systemd")
    return await guest.tool("nsenter", f"--target={manager}", "--pid", "--mount", "systemctl", *args, timeout=60.0)


@scenario(guests=1, timeout=400.0, on=("bookworm",))
async def rnsd_as_a_service(rig: Rig) -> None:
    """systemd runs rnsd as the example of a unit says: it links, comes back when it was killed, and ends in order."""
    (guest,) = await rig.guests(1, gatt_channels=1)
    await _set_up(guest)
    bob = await rig.host_program("tests.bluez.guest_side.interface_node", BOB.hex(), "bumble", f"radio={rig.radio}")
    await bob.expect("started", 40.0)
    # A manager of its own namespace of processes, as whose first one it takes itself for the system's.
    namespace = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    guest.start(*namespace, "/lib/systemd/systemd", "--system", f"--unit={UNIT}")
    await bob.expect("up", START_TIMEOUT)
    status = await guest.tool(
        *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "env", "-u", "XDG_RUNTIME_DIR"),
        *(guest.interpreter, "-m", "ble_cli", "status", "--json"),
        timeout=60.0,
    )
    (node,) = json.loads("\n".join(status))["nodes"]
    rig.note(f"status sees {node['name']}")
    killed = time.monotonic()
    await _systemctl(guest, "kill", "--signal=KILL", UNIT)
    await bob.expect("down", 60.0)
    await bob.expect("up", LINK_TIMEOUT)
    rig.note(f"linked again {time.monotonic() - killed:.1f} s after it was killed")
    await _systemctl(guest, "stop", UNIT)
    await bob.expect("down", 20.0)
    (result,) = await _systemctl(guest, "show", "--property=Result", UNIT)
    expect(result == "Result=success", result)
