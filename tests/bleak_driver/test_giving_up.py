"""What a driver leaves behind that is stopped before its radio is open, without D-Bus."""

from __future__ import annotations

import asyncio
import importlib
import threading
import uuid
from typing import Any

import pytest

from ble_driver import BLEDriverInterface
from ble_interface import IDENTITY_CHAR_UUID, RX_CHAR_UUID, SERVICE_UUID, TX_CHAR_UUID
from drivers.bleak_driver.claim import holder_of
from tests.bleak_driver.without_dbus import without_dbus


class HangingBlueZ:
    """A bluetoothd that answers neither hello nor good-bye."""

    path = "/org/bluez/hci0"
    opening = threading.Event()

    def __init__(self, *_: object) -> None:
        pass

    async def open(self, *_: object, **__: object) -> None:
        self.opening.set()
        await asyncio.Event().wait()

    async def close(self) -> None:
        await asyncio.Event().wait()

    async def ping(self) -> None:
        pass

    async def mtu_of(self, _: str) -> int:
        return 23


class NoServer:
    def __init__(self, *_: object) -> None:
        pass

    async def close(self) -> None:
        pass


def test_a_driver_that_is_stopped_while_its_radio_opens_leaves_the_adapter_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter = f"hci{uuid.uuid4().int % 10**9}"  # that no other run of this test has
    with without_dbus(monkeypatch, {"drivers.bleak_driver.gatt_server": {"GattServer": NoServer}}):
        module: Any = importlib.import_module("drivers.bleak_driver.driver")
        monkeypatch.setattr(module, "BlueZ", HangingBlueZ)
        driver: BLEDriverInterface = module.BleakDriver(adapter=adapter)
        for _ in range(2):
            driver.start(SERVICE_UUID, RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID)
            assert HangingBlueZ.opening.wait(10.0)
            assert holder_of(adapter) is not None
            driver.stop()
            assert holder_of(adapter) is None
            HangingBlueZ.opening.clear()
