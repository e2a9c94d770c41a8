"""The contract suite: all drivers pass it, and `BleakDriver` does so on a host with BlueZ, among `BumbleDriver`s.

In parts, so that only the part is done again in which a test has failed.
"""

from __future__ import annotations

from ..rig import Rig
from ..scenario import scenario
from ..vm.guest import REPO

#: Files of the suite, by the name of the part.
PARTS = {
    "frames": ("discovery", "frames"),
    "life": ("life",),
    "links": ("links", "callbacks"),
    "faults": ("faults", "radio"),
}
#: Seconds that a part may take in an emulated machine.
TIMEOUT = 600.0


async def _pass(rig: Rig, radio: str, part: str) -> None:
    (guest,) = await rig.guests(1, gatt_channels=1)
    await guest.unplug_adapter()  # the suite plugs in its own
    files = [f"{REPO}/tests/contract/test_{name}.py" for name in PARTS[part]]
    suite = guest.python("pytest", *files, "--radio", radio, "-p", "no:cacheprovider", "-rfE")
    (summary,) = [line for line in await suite.succeed(TIMEOUT) if " passed" in line]
    rig.note(summary.strip("= "))


def _register(part: str) -> None:
    async def dialling(rig: Rig) -> None:
        """BlueZ dials, scans and writes.

        Not on Debian 12, whose kernel 6.1.192 ends bluetoothd when an attempt is given up (a fault in hci_chan_del).
        """
        await _pass(rig, "bluez-dials", part)

    async def waiting(rig: Rig) -> None:
        """BlueZ advertises, is dialled and notifies."""
        await _pass(rig, "bluez-waits", part)

    dialling.__name__, waiting.__name__ = f"contract_dialling_{part}", f"contract_waiting_{part}"
    scenario(guests=1, timeout=TIMEOUT, only=("trixie",))(dialling)
    scenario(guests=1, timeout=TIMEOUT, on=("bookworm",))(waiting)


for _part in PARTS:
    _register(_part)
