"""The adapter, as bluetoothd has it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from .bluetoothd import remedy_of
from .bus import ADAPTER, ADVERTISING
from .finding import Finding, failed, ok, skipped, warning
from .host import Host

#: Programs that have an HCI socket by right.
SYSTEM_PROGRAMS = {"bluetoothd", "btmon"}


def present(host: Host) -> Finding:
    """Has bluetoothd the adapter?"""
    bus = host.bus
    if bus.daemon_pid is None or bus.refusal is not None:
        return skipped("bluetoothd could not be asked")
    if host.adapter in bus.adapters:
        properties = bus.adapters[host.adapter]
        return ok(f"{host.adapter} is {properties.get('Address')}, {bus.connected(host.adapter)} devices connected")
    if host.adapter in host.kernel_adapters:
        return failed(
            f"the kernel has {host.adapter}, but bluetoothd does not: it is being set up, broken, or another program "
            "has it for itself (see in-use)",
            "sudo systemctl restart bluetooth",
        )
    there = ", ".join(sorted(bus.adapters)) or "none"
    return failed(f"there is no adapter {host.adapter}; there is: {there}", "see kernel-adapter")


def powered(host: Host) -> Finding:
    """Is the adapter on?"""
    properties = _properties(host)
    if properties is None:
        return skipped("there is no adapter")
    if properties.get("Powered"):
        return ok(f"{host.adapter} is on")
    _, command = remedy_of("org.bluez.Error.NotReady")
    return failed(
        f"the adapter {host.adapter} is off; a node switches it on when it starts, but not while it runs, because a "
        "person may have meant it",
        command,
    )


def roles(host: Host) -> Finding:
    """Can the adapter be central and peripheral?"""
    properties = _properties(host)
    if properties is None:
        return skipped("there is no adapter")
    has = [str(role) for role in properties.get("Roles", ())]
    if not has:
        return skipped("this bluetoothd does not tell")
    missing = [role for role in ("central", "peripheral") if role not in has]
    if not missing:
        both = "at once" if "central-peripheral" in has else "one at a time"
        return ok(f"{host.adapter} can be central and peripheral, {both}")
    return failed(
        f"{host.adapter} cannot be {' nor '.join(missing)}: a node is both",
        "see that /etc/bluetooth/main.conf does not say ControllerMode = bredr; else use another adapter",
    )


def advertising(host: Host) -> Finding:
    """Is there room for one more advertisement?"""
    if _properties(host) is None:
        return skipped("there is no adapter")
    manager = host.bus.of_adapter(host.adapter, ADVERTISING)
    if manager is None:
        return failed(
            f"bluetoothd cannot advertise on {host.adapter}: nobody would find this node", "use another adapter"
        )
    left, used = int(manager.get("SupportedInstances", 0)), int(manager.get("ActiveInstances", 0))
    if left > 0:
        return ok(f"{left} advertisements more are possible, {used} in use")
    if not used and not host.bus.adapters[host.adapter].get("Powered"):
        return skipped("the adapter is off")
    return failed(
        f"all {used} advertisements of {host.adapter} are in use by other programs: nobody would find this node",
        "end the program that advertises, or: sudo systemctl restart bluetooth",
    )


def in_use(host: Host) -> Finding:
    """Has another program taken the adapter from bluetoothd, or does one disturb?"""
    owners = _holders(host)
    names = ", ".join(f"{name} (process {pid})" for pid, name in owners)
    if host.adapter in host.kernel_adapters and host.bus.daemon_pid is not None and host.bus.refusal is None:
        properties = _properties(host)
        if properties is None:
            who = names or "a program that this user may not see; as root this check names it"
            kill = " ".join(str(pid) for pid, _ in owners) or "PID"
            return failed(
                f"another program has {host.adapter} for itself, so bluetoothd does not have it: {who}",
                f"end it: sudo kill {kill}",
            )
        if owners:
            return warning(f"{names} speaks with the adapter past bluetoothd and may disturb it", "end it if it does")
        scan = "somebody scans on it" if properties.get("Discovering") else "nobody scans on it"
        ours = f"; nodes here: {', '.join(host.nodes())}" if host.nodes() else ""
        holder = host.holder_of(host.adapter)
        held = f"; {holder} has it, and another node waits for it until that ends" if holder is not None else ""
        return ok(f"{host.adapter} is bluetoothd's; {scan}{ours}{held}")
    return skipped("bluetoothd or the adapter is not there")


def _properties(host: Host) -> Mapping[str, Any] | None:
    return host.bus.of_adapter(host.adapter, ADAPTER)


def _holders(host: Host) -> list[tuple[int, str]]:
    """Return the processes with an HCI socket of their own; those of other users only for root."""
    try:
        lines = (host.proc / "net/hci").read_text().splitlines()[1:]
    except OSError:
        return []
    # The columns are: sk RefCnt Rmem Wmem User Inode Parent (net/bluetooth/af_bluetooth.c, bt_seq_show).
    inodes = {words[5] for line in lines if len(words := line.split()) >= 6}
    return [
        (pid, name)
        for pid, name in host.processes()
        if name not in SYSTEM_PROGRAMS and inodes & set(_sockets(host, pid))
    ]


def _sockets(host: Host, pid: int) -> list[str]:
    found = []
    try:
        for entry in (host.proc / str(pid) / "fd").iterdir():
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry))
            if match:
                found.append(match[1])
    except OSError:
        pass  # another user's, or it has ended
    return found
