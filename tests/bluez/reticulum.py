"""Reticulum nodes in guests, set up as by a user: a configuration directory, the one-line interface file, a program."""

from __future__ import annotations

from .vm.guest import Guest
from .vm.program import Program

DIRECTORY = "/tmp/rns"
CONFIG = """\
[reticulum]
  enable_transport = {transport}
  share_instance = No
  panic_on_interface_error = No
[logging]
  loglevel = 4
[interfaces]
  [[Bluetooth]]
    type = BLEInterface
    enabled = Yes
    driver = bleak
    adapter = hci0
    passphrase = the same for all
"""
LOADER = "from ble_interface.reticulum import interface_class\n"


async def prepare(guest: Guest, directory: str = DIRECTORY, *, transport: bool = False) -> None:
    """Write the configuration; with `transport`, of a node that forwards."""
    await guest.write(f"{directory}/config", CONFIG.format(transport="Yes" if transport else "No"))
    await guest.write(f"{directory}/interfaces/BLEInterface.py", LOADER)


def start(guest: Guest, name: str) -> Program:
    """Start a node; it reports "up" when Reticulum runs, and its links."""
    return guest.example("_common/watched_node.py", "--config", DIRECTORY, "--name", name)


async def make_file(guest: Guest, size: int) -> str:
    """Make a file of random bytes and return its path."""
    await guest.tool("sh", "-c", f"head -c {size} /dev/urandom >/tmp/file")
    return "/tmp/file"
