"""Choosing how guests are executed."""

from __future__ import annotations

import asyncio
import os
import time

from ..build.kernel import Kernel
from . import children
from .log import Log
from .machine import Accelerator, bare

#: Seconds in which a kernel under KVM has to reach its init; it needs about one.
PROBE_TIMEOUT = 15.0
#: What a kernel says when it hands over to init, which without devices finds no root: that is far enough.
REACHED = "init: no root"
TCG = Accelerator("tcg", "as asked for")


async def choose(kernel: Kernel) -> Accelerator:
    """Return KVM if it boots a kernel in time, else emulation. /dev/kvm may be there and yet hang every guest."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Accelerator("tcg", "there is no /dev/kvm that we may use")
    kvm = Accelerator("kvm", "")
    start = time.monotonic()
    process = await children.start(bare(kvm, kernel, 256, ""))
    console = Log("probe")
    assert process.stdout is not None
    follower = asyncio.ensure_future(console.follow(process.stdout))
    try:
        while time.monotonic() - start < PROBE_TIMEOUT and process.returncode is None:
            if any(REACHED in line for line in console.lines):
                return Accelerator("kvm", f"a kernel booted in {time.monotonic() - start:.1f} s")
            await asyncio.sleep(0.1)
    finally:
        await children.kill(process)
        follower.cancel()
    if process.returncode != -9:
        last = console.lines[-1] if console.lines else "nothing said"
        return Accelerator("tcg", f"qemu cannot use /dev/kvm: {last}")
    return Accelerator("tcg", f"/dev/kvm is there, but no kernel booted within {PROBE_TIMEOUT:g} s")
