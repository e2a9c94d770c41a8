"""The scanner: listens in passes, between which the adapter is free to connect."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bleak import BleakScanner
from bleak.args.bluez import BlueZScannerArgs
from bleak.backends.device import BLEDevice as FoundDevice
from bleak.backends.scanner import AdvertisementData

from ble_driver import BLEDevice, Dispatcher, ExclusiveControlManager, LinkError, RadioError, ScanPasses

from .advertisements import device_of, offers
from .errors import BLEAK_ERRORS, link_error, obeyed, past_races

logger = logging.getLogger(__name__)

#: How many discovered devices are remembered, to dial them by what BlueZ knows of them.
MAX_REMEMBERED = 1000


class PowerMode(Enum):
    """How much of the time the scanner listens: seconds on, seconds off.

    AGGRESSIVE always, BALANCED half of the time, SAVER one second in ten.
    """

    AGGRESSIVE = (math.inf, 0.0)
    BALANCED = (5.0, 5.0)
    SAVER = (2.0, 18.0)


@dataclass
class Found:
    """A device that was heard: what bleak knows of it, and how many attempts at it have timed out in a row."""

    device: FoundDevice
    timeouts: int = 0


class Scanner:
    """Scans for one service, filtered by BlueZ.

    Args:
        adapter: the adapter's name.
        service: the UUID of the service, in lower case.
        mode: how much of the time to listen.
        control: whose turns the passes are.
        dispatcher: where to run.
        on_device: is called with each advertisement of the service.
        on_failed: is called when a scan that ran cannot be continued; it has ended then.
    """

    def __init__(
        self,
        adapter: str,
        service: str,
        mode: PowerMode,
        control: ExclusiveControlManager,
        dispatcher: Dispatcher,
        on_device: Callable[[BLEDevice], Any],
        on_failed: Callable[[RadioError], Any],
    ) -> None:
        # Without `DuplicateData` BlueZ says nothing more of a device whose data and signal stay the same.
        self._bluez: BlueZScannerArgs = {"adapter": adapter, "filters": {"DuplicateData": True}}
        self._service = service
        self._on_device = on_device
        self._passes = ScanPasses(control, dispatcher.spawn, self._scan, on_failed, on=mode.value[0], off=mode.value[1])
        self._found: OrderedDict[str, Found] = OrderedDict()

    async def start(self) -> None:
        """Scan until told otherwise. Raises RadioError if that cannot be begun."""
        await self._passes.start()

    async def stop(self) -> None:
        """Scan no more; harmless if it does not."""
        await self._passes.stop()

    @asynccontextmanager
    async def _scan(self) -> AsyncIterator[None]:
        """Scan for as long as the context lasts."""
        scanner = BleakScanner(self._on_advertisement, service_uuids=[self._service], bluez=self._bluez)
        try:
            # A race is, for example, a scan that bluetoothd has not ended yet.
            await past_races(lambda: obeyed(scanner.start(), "start scanning"))
            yield
        finally:
            try:
                await scanner.stop()
            except BLEAK_ERRORS as error:
                logger.debug("stopping the scanner: %r", error)  # with bluetoothd gone nothing is to be stopped

    def _on_advertisement(self, device: FoundDevice, advertisement: AdvertisementData) -> None:
        if offers(advertisement, self._service):
            heard = device_of(device, advertisement)
            self._remember(heard.address, device)
            self._on_device(heard)

    def _remember(self, address: str, device: FoundDevice) -> Found:
        found = self._found.setdefault(address, Found(device))
        found.device = device
        self._found.move_to_end(address)
        if len(self._found) > MAX_REMEMBERED:
            self._found.popitem(last=False)
        return found

    # --- for those who dial -------------------------------------------------------------------------------------------

    def known(self, address: str) -> Found | None:
        """Return what was heard of a device."""
        return self._found.get(address)

    def forget(self, address: str) -> None:
        """BlueZ does not know the device any more."""
        self._found.pop(address, None)

    async def find(self, address: str, timeout: float) -> Found:
        """Return what is known of a device; look for it, `timeout` seconds at most, if it was not heard yet.

        Raises:
            LinkError: it cannot be heard.
        """
        found = self._found.get(address)
        if found is not None:
            return found
        logger.debug("%s was not heard yet: it is looked for", address)
        try:
            device = await self._look_for(address, timeout)
        except BLEAK_ERRORS as error:
            raise link_error(f"looking for {address}", error) from error
        if device is None:
            raise LinkError(f"{address} cannot be heard")
        return self._remember(address, device)

    async def _look_for(self, address: str, timeout: float) -> FoundDevice | None:
        """Listen for a device.

        Not by bleak's own search, which misses who is reported before it knows that the scan runs: BlueZ may report
        a device together with that answer, and not again.
        """
        heard: asyncio.Future[FoundDevice] = asyncio.get_running_loop().create_future()

        def on_advertisement(device: FoundDevice, _: AdvertisementData) -> None:
            if device.address == address and not heard.done():
                heard.set_result(device)

        async with BleakScanner(on_advertisement, bluez=self._bluez):
            with contextlib.suppress(asyncio.TimeoutError):
                return await asyncio.wait_for(heard, timeout)
        return None
