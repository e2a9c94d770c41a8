"""The callbacks of a driver as values, with the time at which each came."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ble_driver import BLEDevice, BLEDriverInterface, LinkError, Role


@dataclass(frozen=True)
class Happening:
    """Something that the radio told."""

    at: float = field(default_factory=time.monotonic, kw_only=True)


@dataclass(frozen=True)
class Discovered(Happening):
    """An advertisement was heard."""

    device: BLEDevice


@dataclass(frozen=True)
class Connected(Happening):
    """A link is up."""

    address: str
    mtu: int
    role: Role | None
    identity: bytes | None


@dataclass(frozen=True)
class Failed(Happening):
    """An attempt to connect ended without a link."""

    address: str
    error: LinkError


@dataclass(frozen=True)
class Disconnected(Happening):
    """A link is gone."""

    address: str


@dataclass(frozen=True)
class Frame(Happening):
    """A frame arrived."""

    address: str
    data: bytes


def forward(driver: BLEDriverInterface, put: Callable[[Happening], object]) -> None:
    """Hand what the driver tells to `put`; role and identity are asked for at once, as the link may be short."""

    def connected(address: str, mtu: int) -> None:
        put(Connected(address, mtu, driver.peer_role(address), driver.peer_identity(address)))

    driver.on_device_discovered = lambda device: put(Discovered(device))
    driver.on_device_connected = connected
    driver.on_connection_failed = lambda address, error: put(Failed(address, error))
    driver.on_device_disconnected = lambda address: put(Disconnected(address))
    driver.on_data_received = lambda address, data: put(Frame(address, data))
