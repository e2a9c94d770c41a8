"""D-Bus, and bluetoothd on it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from drivers.bleak_driver import bearers
from drivers.bleak_driver.remedies import REMEDIES

from .finding import Finding, failed, ok, skipped, warning
from .host import Host

#: The oldest that `BleakDriver` works with, and the versions that it was seen to work with.
OLDEST, SEEN = (5, 62), ((5, 66), (5, 82))
#: Where distributions have the daemon.
PROGRAMS = tuple(
    Path(path)
    for path in (
        "/usr/libexec/bluetooth/bluetoothd",
        "/usr/lib/bluetooth/bluetoothd",
        "/usr/sbin/bluetoothd",
        "/usr/lib/bluez/bluetoothd",
    )
)
TOOL_TIMEOUT = 5.0


def remedy_of(error: str) -> tuple[str, str]:
    """Return what a D-Bus error means, and the command that mends it; the text of `REMEDIES` is both."""
    why, _, command = REMEDIES[error].partition(": ")
    return why, command


def dbus(host: Host) -> Finding:
    """Can the system bus be reached?"""
    if host.bus.trouble is None:
        return ok("the system bus answers")
    return failed(
        f"the system D-Bus cannot be reached ({host.bus.trouble}), over which programs speak with bluetoothd",
        "sudo systemctl start dbus, or without systemd: sudo service dbus start",
    )


def running(host: Host) -> Finding:
    """Is bluetoothd there?"""
    if host.bus.trouble is not None:
        return skipped("D-Bus cannot be reached")
    if host.bus.unread is not None:
        pids = [pid for pid, name in host.processes() if name == "bluetoothd"]
        return ok(f"runs as process {pids[0]}") if pids else _not_running()
    if host.bus.daemon_pid is None:
        return _not_running()
    flags = " ".join(host.bluetoothd_words[1:])
    return ok(f"runs as process {host.bus.daemon_pid}, {f'with {flags}' if flags else 'without flags'}")


def _not_running() -> Finding:
    why, command = remedy_of("org.freedesktop.DBus.Error.ServiceUnknown")
    if not any(path.exists() for path in PROGRAMS):
        return failed(f"{why}, and not installed: it owns the adapter", "sudo apt install bluez")
    return failed(f"{why}: it owns the adapter", command)


def policy(host: Host) -> Finding:
    """May this user speak with bluetoothd?"""
    if (reason := _unseen(host)) is not None:
        return skipped(reason)
    if host.bus.refusal is None:
        return ok("this user may talk to bluetoothd")
    name, text = host.bus.refusal
    if name == "org.freedesktop.DBus.Error.AccessDenied":
        why, command = remedy_of(name)
        if host.is_root():
            why = f"D-Bus does not let even root talk to bluetoothd; see /etc/dbus-1/system.d ({text})"
            command = "sudo apt install --reinstall -o Dpkg::Options::=--force-confmiss bluez"
        return failed(why, command)
    return failed(f"bluetoothd does not answer as it should ({name}: {text})", "sudo systemctl restart bluetooth")


def version(host: Host) -> Finding:
    """Is this BlueZ new enough?"""
    words = host.bluetoothd_words
    program = next((path for path in (*map(Path, words[:1]), *PROGRAMS) if path.exists()), None)
    if program is None:
        return skipped("there is no bluetoothd")
    answer = subprocess.run(
        [str(program), "--version"], capture_output=True, text=True, timeout=TOOL_TIMEOUT, check=False
    )
    match = re.search(r"(\d+)\.(\d+)", answer.stdout)
    if match is None:
        return warning(f"{program} does not tell its version", None)
    found = (int(match[1]), int(match[2]))
    if found < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return failed(f"BlueZ {match[0]} is too old: {wanted} is needed", "upgrade to Debian 12 or newer")
    seen = " and ".join(".".join(map(str, one)) for one in SEEN)
    return ok(f"BlueZ {match[0]} (tested: {seen})")


def att_bearers(host: Host) -> Finding:
    """Does bluetoothd spread a link over several ATT bearers, on which frames overtake each other?"""
    if host.bus.daemon_pid is None:
        return skipped("bluetoothd is not seen on D-Bus")
    complaint = bearers.complaint(host.bus.daemon_pid, host.proc)
    if complaint is None:
        return ok("one ATT bearer per link, so frames stay in order")
    what, _, command = complaint.partition(": ")
    return failed(what, command)


def _unseen(host: Host) -> str | None:
    """Return why bluetoothd could not be asked anything; None if it could."""
    if host.bus.trouble is not None:
        return "D-Bus cannot be reached"
    if host.bus.unread is not None:
        return host.bus.unread
    return "bluetoothd is not running" if host.bus.daemon_pid is None else None
