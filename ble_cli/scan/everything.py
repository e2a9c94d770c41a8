"""The scan for all devices. A driver hears only nodes, so this one asks BlueZ itself, through bleak."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from ble_driver import BLEDevice, RadioError

from ..programs.happenings import Discovered
from .programs import Scan

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice as FoundDevice
    from bleak.backends.scanner import AdvertisementData

#: Seconds that BlueZ gets to begin.
START_TIMEOUT = 15.0


class ScanEverything(Scan):
    """Shows every device that BlueZ hears."""

    def listen(self) -> None:
        self._ended = threading.Event()
        self._listening = threading.Event()
        self._trouble: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="scan", daemon=True)
        self._thread.start()
        if not self._listening.wait(START_TIMEOUT) or self._trouble is not None:
            raise RadioError(f"BlueZ does not scan: {self._trouble or 'no answer'}")

    def is_listening(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._scan())
        except Exception as error:  # whatever bleak raises is told by `listen`
            self._trouble = error
            self._listening.set()

    async def _scan(self) -> None:
        from bleak import BleakScanner

        adapter = self._command.driver_options.get("adapter", "hci0")
        async with BleakScanner(self._heard, bluez={"adapter": adapter}):
            self._listening.set()
            await asyncio.to_thread(self._ended.wait)

    def _heard(self, device: FoundDevice, advertisement: AdvertisementData) -> None:
        name = advertisement.local_name or device.name
        self.inbox.put(Discovered(BLEDevice(device.address.upper(), name, advertisement.rssi)))

    def close(self) -> None:
        if hasattr(self, "_ended"):
            self._ended.set()
            self._thread.join()
        super().close()
