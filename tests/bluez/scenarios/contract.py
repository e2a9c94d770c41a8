"""The contract suite, on `BleakDriver` and this BlueZ."""

from __future__ import annotations

from ..rig import Rig
from ..scenario import scenario
from ..vm.guest import REPO


@scenario(guests=1, timeout=900.0, on=("trixie",))
async def contract_suite(rig: Rig) -> None:
    """All drivers pass one suite of tests; `BleakDriver` passes it on three adapters of one host."""
    (guest,) = await rig.guests(1, gatt_channels=1)
    suite = guest.python(
        "pytest", f"{REPO}/tests/contract", "--radio", "bluez", "-p", "no:cacheprovider", "-q", "--durations=8"
    )
    output = await suite.succeed(840.0)
    rig.note(output[-1])
