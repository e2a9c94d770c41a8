"""The contract suite: all drivers pass it, and `BleakDriver` does so on a host with BlueZ, among `BumbleDriver`s."""

from __future__ import annotations

from ..rig import Rig
from ..scenario import scenario
from ..vm.guest import REPO

#: Seconds that one half of it may take in an emulated machine.
TIMEOUT = 900.0


async def _pass(rig: Rig, radio: str, *tests: str) -> None:
    (guest,) = await rig.guests(1, gatt_channels=1)
    await guest.unplug_adapter()  # the suite plugs in its own
    files = [f"{REPO}/tests/contract/test_{test}.py" for test in tests]
    suite = guest.python("pytest", *files, "--radio", radio, "-p", "no:cacheprovider")
    (summary,) = [line for line in await suite.succeed(TIMEOUT) if " passed" in line]
    rig.note(summary.strip("= "))


@scenario(guests=1, timeout=TIMEOUT, only=("trixie",))
async def contract_dialling(rig: Rig) -> None:
    """BlueZ dials, scans and writes.

    Not on Debian 12, whose kernel 6.1.192 ends bluetoothd when an attempt is given up (a fault in hci_chan_del).
    """
    await _pass(rig, "bluez-dials", "discovery", "frames", "life", "links", "callbacks", "faults", "radio")


@scenario(guests=1, timeout=TIMEOUT, on=("bookworm",))
async def contract_waiting(rig: Rig) -> None:
    """BlueZ advertises, is dialled and notifies."""
    await _pass(rig, "bluez-waits", "discovery", "frames", "life", "links", "callbacks", "faults", "radio")
