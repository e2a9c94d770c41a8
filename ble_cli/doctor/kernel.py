"""What the kernel says of adapters, whatever bluetoothd thinks."""

from __future__ import annotations

from .finding import Finding, failed, ok, skipped
from .host import Host


def adapter(host: Host) -> Finding:
    """Has the kernel an adapter?"""
    there = host.kernel_adapters
    if host.adapter in there:
        return ok(f"the kernel has {', '.join(there)}")
    if there:
        return failed(
            f"the kernel has no {host.adapter}, but {', '.join(there)}; nothing is sent or heard without an adapter",
            f"set adapter = {there[0]} where the driver is configured (--adapter {there[0]})",
        )
    if not (host.sys / "class/bluetooth").exists():
        return failed("this kernel has no Bluetooth, or its module is not loaded", "sudo modprobe bluetooth btusb")
    return failed(
        "the kernel has no Bluetooth adapter; nothing is sent or heard without one",
        "plug one in; on a Raspberry Pi see that /boot/firmware/config.txt has no dtoverlay=disable-bt, and reboot",
    )


def rfkill(host: Host) -> Finding:
    """Has a switch blocked Bluetooth?"""
    blocked = []
    switches = sorted((host.sys / "class/rfkill").glob("rfkill*"))
    for switch in switches:
        if (switch / "type").read_text().strip() != "bluetooth":
            continue
        name = (switch / "name").read_text().strip()
        if (switch / "hard").read_text().strip() == "1":
            return failed(f"{name} is blocked by a switch of the machine, so that its radio is off", "flip that switch")
        if (switch / "soft").read_text().strip() == "1":
            blocked.append(name)
    if blocked:
        return failed(f"{', '.join(blocked)} is blocked, so that its radio is off", "sudo rfkill unblock bluetooth")
    return ok("nothing is blocked") if switches else skipped("this host has no such switches")
