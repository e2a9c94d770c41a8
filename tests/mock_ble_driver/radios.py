"""Bare radios on a virtual air, and what each of them was told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ble_driver import BLEDevice, VirtualDispatcher
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir

UUIDS = tuple(f"37145b00-442d-4a94-917f-8f42c5da28e{n}" for n in (3, 5, 4, 6))


class Radio(MockBLEDriver):
    """A started radio that writes down what it is told, with the time."""

    def __init__(self, air: VirtualAir, **options: Any) -> None:
        super().__init__(air, **options)
        self.heard: list[tuple[float, BLEDevice]] = []
        self.linked: list[tuple[float, str]] = []
        self.lost: list[tuple[float, str]] = []
        self.failed: list[tuple[float, str]] = []
        self.got: list[tuple[float, bytes]] = []
        clock = air.dispatcher.time
        self.on_device_discovered = lambda device: self.heard.append((clock(), device))
        self.on_device_connected = lambda address, mtu: self.linked.append((clock(), address))
        self.on_device_disconnected = lambda address: self.lost.append((clock(), address))
        self.on_connection_failed = lambda address, error: self.failed.append((clock(), str(error)))
        self.on_data_received = lambda address, data: self.got.append((clock(), data))
        self.set_identity(self.address.encode()[-16:].rjust(16, b"."))
        self.start(*UUIDS)
        self.start_advertising()
        self.start_scanning()

    def hears(self, other: Radio) -> bool:
        """Whether the other one was ever heard."""
        return other.address in {device.address for _, device in self.heard}


class Air:
    """An air in virtual time and its radios."""

    def __init__(self, **options: Any) -> None:
        self.dispatcher = VirtualDispatcher()
        self.air = VirtualAir(self.dispatcher, **options)
        self.radios: list[Radio] = []

    def radio(self, metres: float = 0.0, **options: Any) -> Radio:
        """Return a new radio so far away from the first."""
        self.radios.append(Radio(self.air, position=(metres, 0.0), **options))
        return self.radios[-1]

    def link(self, one: Radio, other: Radio) -> None:
        """Let one dial the other."""
        one.connect(other.address)
        assert self.dispatcher.run_until(lambda: other.address in one.connected_peers, 10.0), one.failed


@contextmanager
def an_air(**options: Any) -> Iterator[Air]:
    """An air whose radios are stopped at its end."""
    air = Air(**options)
    try:
        yield air
        for radio in air.radios:
            radio.stop()
    finally:
        air.dispatcher.close()
