"""The host that is looked at, and where to look; tests hand the checks another one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ble_interface.status_socket import running_nodes
from drivers.bleak_driver.claim import holder_of

from ..reticulum_config.places import configuration_directory
from .bus import Bus, look


@dataclass
class Host:
    """A Linux host.

    Attributes:
        adapter: the adapter that is meant, such as ``hci0``.
        reticulum: Reticulum's configuration directory.
        proc, sys, etc: where the kernel and the system's configuration tell of themselves.
        look: looks at D-Bus.
        holder_of: says which program of this library has an adapter, if one has.
    """

    adapter: str = "hci0"
    reticulum: Path = field(default_factory=configuration_directory)
    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    look: Callable[[], Bus] = look
    holder_of: Callable[[str], str | None] = holder_of

    @cached_property
    def bus(self) -> Bus:
        """What D-Bus says; looked at once."""
        return self.look()

    @property
    def kernel_adapters(self) -> list[str]:
        """The adapters that the kernel has, whatever bluetoothd thinks of them."""
        try:
            names = [entry.name for entry in (self.sys / "class/bluetooth").iterdir()]
        except OSError:
            return []
        return sorted(name for name in names if name.startswith("hci") and name[3:].isdecimal())

    @property
    def bluetoothd_words(self) -> list[str]:
        """The command line of the bluetoothd that runs, empty if it cannot be seen."""
        try:
            line = (self.proc / str(self.bus.daemon_pid) / "cmdline").read_bytes()
        except OSError:
            return []
        return [word.decode(errors="replace") for word in line.split(b"\0") if word]

    def processes(self) -> Iterator[tuple[int, str]]:
        """The processes there are: number and name."""
        for entry in self.proc.iterdir():
            if entry.name.isdecimal():
                try:
                    name = (entry / "comm").read_text().strip()
                except OSError:
                    continue  # it has ended
                yield int(entry.name), name

    def nodes(self) -> list[str]:
        """The names of our own nodes that run here."""
        return [str(node.path.stem) for node in running_nodes()]

    def is_root(self) -> bool:
        """Whether commands need no sudo."""
        return os.geteuid() == 0
