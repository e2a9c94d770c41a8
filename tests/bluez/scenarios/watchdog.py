"""A bluetoothd that hangs: it is there, the links are up, and nothing is answered."""

from __future__ import annotations

import asyncio
import time
from signal import Signals

from ..rig import Rig
from ..scenario import expect, scenario
from .survival import ALICE, Pair

#: Seconds for which bluetoothd may be busy without anybody giving it up: less than the driver's `CHECK_TIME` of 10.
BUSY = 6.0
#: Seconds until the driver has noticed (`LOOK_INTERVAL` + `CHECK_TIME`), and until all its steps were in vain: closing
#: (3.5), opening (20), power-cycling (15) and opening again. A guest is slow, so both are generous.
NOTICED, IN_VAIN = 60.0, 120.0


@scenario(guests=2, timeout=420.0, on=("trixie",))
async def bluetoothd_hangs(rig: Rig) -> None:
    """bluetoothd is stopped until the driver has tried everything and says what to do, then it goes on."""
    pair = await Pair.link(rig)
    stopped = time.monotonic()
    pair.a.bluetoothd.signal(Signals.SIGSTOP)
    try:
        noticed = await pair.alice.expect("error", NOTICED)
        expect("opened anew" in noticed["text"], f"the first error is {noticed}")
        rig.note(f"noticed after {time.monotonic() - stopped:.1f} s")
        reset = await pair.alice.expect("error", IN_VAIN)
        expect("the adapter is reset" in reset["text"], f"the second error is {reset}")
        told = await pair.alice.expect("error", IN_VAIN)
        expect("systemctl restart bluetooth" in told["text"], f"the third error is {told}")
        rig.note(f"a person was told after {time.monotonic() - stopped:.1f} s")
    finally:
        pair.a.bluetoothd.signal(Signals.SIGCONT)
    since = time.monotonic()
    await pair.bob.expect("down", 60.0, peer=ALICE.hex())
    await pair.recovers("bluetoothd went on", since)


@scenario(guests=2, timeout=300.0, on=("trixie",))
async def bluetoothd_is_busy(rig: Rig) -> None:
    """bluetoothd does nothing for some seconds, twice: nothing is opened anew, and the link goes on."""
    pair = await Pair.link(rig)
    for _ in range(2):
        pair.a.bluetoothd.signal(Signals.SIGSTOP)
        try:
            await asyncio.sleep(BUSY)
        finally:
            pair.a.bluetoothd.signal(Signals.SIGCONT)
        await pair.carry()
