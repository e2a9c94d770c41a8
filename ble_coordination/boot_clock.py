"""The clock that leases are measured by in a SQLite store: seconds for which this host has run.

The time of day would not do. A host without a battery-backed clock, such as a Raspberry Pi, wakes up in the past and
jumps years ahead when the network comes up, at which every lease would end at once. This clock goes on through any
setting of the time, and through sleep. Across a reboot it goes on from where the store last saw it: a lease that had 20
seconds left has 20 seconds left, as its holder may be on another host, which has not rebooted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

#: Changes with every boot (Linux, random(4)).
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class BootClock:
    """A clock as a store keeps it.

    Attributes:
        boot_id: the boot that it was set in.
        base: its time at that boot.
    """

    boot_id: str
    base: float

    def now(self) -> float:
        """Return the time in seconds."""
        return self.base + since_boot()

    def resumed(self, boot_id: str, last_seen: float) -> BootClock:
        """Return the clock for the boot `boot_id`: this one, or if there was a reboot one that goes on from there."""
        return self if boot_id == self.boot_id else BootClock(boot_id, last_seen - since_boot())


def since_boot() -> float:
    """Return the seconds since the host was booted, with those that it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def this_boot() -> str:
    """Return what tells this boot from others."""
    return BOOT_ID.read_text().strip()
