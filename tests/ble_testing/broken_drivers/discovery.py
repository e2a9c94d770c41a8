"""Drivers that are not found, or find what they should not."""

from __future__ import annotations

from ble_driver import AddressType, BLEDevice, DriverState
from drivers.mock_ble_driver import MockBLEDriver
from tests.contract.mock_rigs import SwitchedMockDriver

from .catalogue import caught_by


@caught_by("test_other_services_are_not_reported")
class HearsOtherServices(SwitchedMockDriver):
    def hear(self, sender: MockBLEDriver, rssi: int) -> None:
        self._report_device(BLEDevice(sender.address, None, rssi, sender.local_address_type))


@caught_by("test_an_advertisement_tells")
class HidesName(SwitchedMockDriver):
    def hear(self, sender: MockBLEDriver, rssi: int) -> None:
        self._report_device(BLEDevice(sender.address, None, rssi, AddressType.PUBLIC))


@caught_by("test_an_advertisement_tells")
class NonsenseRSSI(SwitchedMockDriver):
    def hear(self, sender: MockBLEDriver, rssi: int) -> None:
        super().hear(sender, -127)


@caught_by("test_a_scanner_hears_an_advertiser")
class AdvertisesOn(SwitchedMockDriver):
    @property
    def is_advertising(self) -> bool:
        return self._advertising or self._advertised

    _advertised = False

    async def _set_advertising(self, on: bool) -> None:
        self._advertised = True
        if on:
            await super()._set_advertising(on)


@caught_by("test_a_new_name_is_advertised")
class KeepsOldName(SwitchedMockDriver):
    def start_advertising(self, device_name: str | None = None) -> None:
        if not self._want_advertising:
            super().start_advertising(device_name)


@caught_by("test_a_scanner_hears_an_advertiser")
class ScansOn(SwitchedMockDriver):
    def _report_device(self, device: BLEDevice) -> None:
        self._emit(self.on_device_discovered, device)

    @property
    def is_listening(self) -> bool:
        return True


@caught_by("test_state_says_what_the_radio_does")
class StateIsIdle(SwitchedMockDriver):
    @property
    def state(self) -> DriverState:
        return DriverState.IDLE


@caught_by("test_a_node_does_not_hear_itself")
class HearsItself(SwitchedMockDriver):
    async def _set_scanning(self, on: bool) -> None:
        self.air.dispatcher.call_later(0.3, self.hear, self, -50)


@caught_by("test_a_name_that_does_not_fit_is_refused")
class AnyNameWillDo(SwitchedMockDriver):
    def start_advertising(self, device_name: str | None = None) -> None:
        super().start_advertising(device_name[:8] if device_name is not None else None)
