"""What a scenario is handed: one air, guests on it, and nodes of this process."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from .build.roots import GuestRoot
from .bumble_peer import BumblePeer
from .radio import Radio
from .vm import host_program
from .vm.guest import Guest
from .vm.machine import Accelerator
from .vm.program import Program

logger = logging.getLogger(__name__)

REPO = Path(__file__).parents[2]
NAMES = "abcd"


class Rig:
    """One air with up to four guests, which are booted when they are first asked for and then kept.

    Args:
        root: what guests run.
        accelerator: how.
        thorough: repeat things as often as a figure for people needs, not only as often as a check does.
        debug: let bluetoothd log all it does, which slows it down.
    """

    radio: Radio

    def __init__(
        self, root: GuestRoot, accelerator: Accelerator, *, thorough: bool = False, debug: bool = False
    ) -> None:
        self.root = root
        self.thorough = thorough
        self.notes: list[str] = []
        self._accelerator = accelerator
        self._debug = debug
        self._guests: list[Guest] = []
        self._scenario = AsyncExitStack()
        self._boots = asyncio.Semaphore(os.cpu_count() or 1)

    # --- for scenarios ------------------------------------------------------------------------------------------------

    async def guests(self, count: int, *, gatt_channels: int | None = None, mtus: Sequence[int] = ()) -> list[Guest]:
        """Return this many guests with a fresh bluetoothd and adapter each.

        Args:
            count: how many.
            gatt_channels: `Channels` in bluetoothd's configuration: 1 is without EATT. By default the distribution's.
            mtus: `ExchangeMTU` in that of each guest. By default the distribution's, which is 517.
        """
        self._guests = [guest for guest in self._guests if guest.is_running]
        kept = self._guests[:count]
        new = [self._new_guest() for _ in range(count - len(kept))]
        async with asyncio.TaskGroup() as group:
            for guest, mtu in itertools.zip_longest(kept + new, mtus):
                gatt = {"Channels": gatt_channels, "ExchangeMTU": mtu}
                configuration = {key: value for key, value in gatt.items() if value is not None}
                group.create_task(guest.reset(configuration) if guest in kept else self._boot(guest, configuration))
        return kept + new

    async def bumble(self, identity: bytes, **options: Any) -> BumblePeer:
        """Return a started `BumbleDriver` of this process, which is stopped after the scenario."""
        peer = BumblePeer(str(self.radio), identity, **options)
        self._scenario.push_async_callback(peer.stop)
        await peer.start()
        return peer

    async def host_program(self, module: str, *args: str) -> Program:
        """Start a Python module of the repository on the host; it is ended with the scenario."""
        program = await host_program.start([sys.executable, "-m", module, *args], REPO)
        self._scenario.push_async_callback(program.stop)
        return program

    def times(self, often: int) -> int:
        """Return how often to do something that is worth doing this often: a fifth in a mere check."""
        return often if self.thorough else max(1, often // 5)

    def note(self, text: str) -> None:
        """Say something that is worth a line in the report."""
        self.notes.append(text)

    # --- for the runner -----------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start the radio."""
        self.radio = await Radio.start()

    async def end_scenario(self) -> None:
        """Stop what the scenario started on the host; guests are cleaned when they are next asked for."""
        self.notes.clear()
        self.radio.wall_off([])
        await self._scenario.aclose()

    async def close(self) -> None:
        """End everything."""
        await self._scenario.aclose()
        await asyncio.gather(*(guest.kill() for guest in self._guests))
        await self.radio.stop()

    def troubles(self) -> list[str]:
        """Return what no scenario may do to a kernel."""
        return [f"guest {guest.name}: {line}" for guest in self._guests for line in guest.kernel_trouble()]

    def known_faults(self) -> int:
        """Return how often a kernel had the fault that is known of it."""
        return sum(guest.known_faults() for guest in self._guests)

    def crashes(self) -> int:
        """Return how often a bluetoothd died by itself."""
        return sum(guest.crashes() for guest in self._guests)

    async def collect(self, directory: Path) -> None:
        """Write all logs, and what passed between hosts and controllers, to a directory."""
        self.radio.log.save(directory)
        for guest in self._guests:
            if guest.address:
                self.radio.save_capture(guest.address, directory / f"{guest.name}.btsnoop")
        await asyncio.gather(*(guest.collect(directory) for guest in self._guests))

    # --- guests -------------------------------------------------------------------------------------------------------

    def _new_guest(self) -> Guest:
        taken = {guest.name for guest in self._guests}
        name = next(name for name in NAMES if name not in taken)
        guest = Guest(name, self.root, self._accelerator, debug=self._debug)
        self._guests.append(guest)
        return guest

    async def _boot(self, guest: Guest, gatt: Mapping[str, int]) -> None:
        async with self._boots:
            await guest.boot(REPO, self.radio.address, gatt)
