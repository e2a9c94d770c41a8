"""The scan on BlueZ: it listens beside whoever uses the adapter, such as a node of this host, and touches nothing.

So it asks BlueZ itself, through bleak. A driver would have the adapter for itself, with a GATT service and links.
"""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from ble_driver import RadioError
from ble_interface import SERVICE_UUID
from drivers.bleak_driver.advertisements import device_of, offers
from drivers.bleak_driver.remedies import REMEDIES

from ..programs.happenings import Discovered
from .programs import Scan

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice as FoundDevice
    from bleak.backends.scanner import AdvertisementData

#: Seconds that BlueZ gets to begin.
START_TIMEOUT = 15.0


class ScanBeside(Scan):
    """Shows the nodes that BlueZ hears, or all devices with `--all`."""

    def listen(self) -> None:
        self._ended = threading.Event()
        self._listening = threading.Event()
        self._trouble: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="scan", daemon=True)
        self._thread.start()
        if not self._listening.wait(START_TIMEOUT) or self._trouble is not None:
            raise RadioError(f"BlueZ does not scan: {in_words(self._trouble) if self._trouble else 'no answer'}")

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
        services = None if self.options.everything else [SERVICE_UUID]
        async with BleakScanner(
            self._heard, service_uuids=services, bluez={"adapter": adapter, "filters": {"DuplicateData": True}}
        ):
            self._listening.set()
            await asyncio.to_thread(self._ended.wait)

    def _heard(self, device: FoundDevice, advertisement: AdvertisementData) -> None:
        if self.options.everything or offers(advertisement, SERVICE_UUID):
            heard = device_of(device, advertisement)
            self.inbox.put(Discovered(heard if heard.name is not None else replace(heard, name=device.name)))

    def close(self) -> None:
        if hasattr(self, "_ended"):
            self._ended.set()
            self._thread.join()
        super().close()


def in_words(error: Exception) -> str:
    """Return what an error of bleak means, and what to do where that is known."""
    found = re.search(r"org\.(?:bluez|freedesktop)[\w.]+", str(error))
    if found is not None and found[0] in REMEDIES:
        return f"{REMEDIES[found[0]]} ({found[0]})"
    return str(error) or type(error).__name__
