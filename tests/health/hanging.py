"""Radios that hang where they are told to, on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

from ble_driver import RadioError, VirtualDispatcher
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir
from drivers.mock_ble_driver.driver import MockLink
from tests.health.uuids import UUIDS


class Hanging:
    """Waits for ever where it is told to, and heeds no cancellation if so told."""

    def __init__(self) -> None:
        self.at: set[str] = set()
        self.stubborn = False
        self.given = 0  # calls that hung

    async def come_past(self, what: str) -> None:
        if what not in self.at:
            return
        self.given += 1
        while what in self.at:  # looked at from time to time, as nobody sets an event
            try:
                await asyncio.sleep(1.0)
            except asyncio.CancelledError:
                if not self.stubborn:
                    raise


class HangingDriver(MockBLEDriver):
    """A mock radio whose commands hang by name: open, close, scan, unscan, advertise, dial, check, cycle."""

    def __init__(self, air: VirtualAir, **options: Any) -> None:
        super().__init__(air, **options)
        self.hanging = Hanging()
        self.commands: list[str] = []
        self.refusal: RadioError | None = None
        self.events: list[tuple[Any, ...]] = []
        self.on_error = lambda error: self.events.append(("error", str(error)))
        self.on_device_connected = lambda address, _: self.events.append(("connected", address))
        self.on_device_disconnected = lambda address: self.events.append(("disconnected", address))
        self.on_connection_failed = lambda address, error: self.events.append(("failed", address, error))
        self.set_identity(self.address.encode()[-16:])

    def of(self, kind: str) -> list[Any]:
        return [event[-1] for event in self.events if event[0] == kind]

    @property
    def counts(self) -> dict[str, int]:
        return {name: count for name, count in dict(self.get_status()["recovery"]).items() if count}  # type: ignore[misc]

    async def _command(self, what: str) -> None:
        self.commands.append(what)
        await self.hanging.come_past(what)

    async def _open_radio(self) -> None:
        await self._command("open")
        await super()._open_radio()

    async def _close_radio(self) -> None:
        await self._command("close")
        await super()._close_radio()

    async def _set_scanning(self, on: bool) -> None:
        await self._command("scan" if on else "unscan")
        await super()._set_scanning(on)

    async def _set_advertising(self, on: bool) -> None:
        await self._command("advertise")
        await super()._set_advertising(on)

    async def _check_radio(self) -> None:
        await self.hanging.come_past("check")

    async def _power_cycle(self) -> None:
        await self._command("cycle")
        if self.refusal is not None:
            raise self.refusal

    async def _open_link(self, address: str) -> MockLink:
        await self._command("dial")
        return await super()._open_link(address)


class World:
    def __init__(self) -> None:
        self.dispatcher = VirtualDispatcher()
        self.air = VirtualAir(self.dispatcher)
        self.drivers: list[HangingDriver] = []

    def driver(self, **options: Any) -> HangingDriver:
        driver = HangingDriver(self.air, **options)
        self.drivers.append(driver)
        driver.start(*UUIDS)
        return driver

    def link(self, a: HangingDriver, b: HangingDriver) -> None:
        b.start_advertising()
        a.connect(b.address)
        self.until(lambda: b.address in a.connected_peers)

    def until(self, condition: Any, timeout: float = 60.0) -> None:
        assert self.dispatcher.run_until(condition, timeout), [driver.events for driver in self.drivers]
