"""The settings of an interface: few, typed, checked when they are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ble_driver import BLEDriverError
from ble_driver.checks import check_device_name
from ble_driver.options import check_options
from ble_driver.uuids import normalise_uuid

from .errors import SettingError
from .fragmentation import HEADER_SIZE, MAX_PACKET, MAX_TOTAL, MIN_FRAME
from .gatt import SERVICE_UUID


@dataclass(frozen=True)
class InterfaceSettings:
    """What a `BLEInterface` can be told.

    Attributes:
        service_uuid: the GATT service; only nodes with the same one see each other.
        device_name: a local name to advertise, at most 8 bytes; None for none.
        max_connections: how many links there may be at once, in both directions together.
        max_packet: bytes of the largest packet that is sent or put together. Both ends must agree.
        outbox_size: bytes of packets that may wait for one peer; beyond it the oldest are dropped and counted.
        evict_worst: whether, when all places are taken, the worst link is ended for a clearly better peer that waits.
        status_socket: whether other programs of this user may read the status, see `ble_interface.status_socket`.

    Raises:
        SettingError: a value is of the wrong type or out of range.
    """

    service_uuid: str = SERVICE_UUID
    device_name: str | None = None
    max_connections: int = 7
    max_packet: int = MAX_PACKET
    outbox_size: int = 65_536
    evict_worst: bool = False
    status_socket: bool = False

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "service_uuid", normalise_uuid(self.service_uuid))
            object.__setattr__(self, "device_name", check_device_name(self.device_name))
        except BLEDriverError as error:
            raise SettingError(str(error)) from None
        # A packet must fit into the frames that the header can count, on the link with the smallest MTU.
        largest = (MIN_FRAME - HEADER_SIZE) * MAX_TOTAL
        self._check_range("max_connections", 1, 1000)
        self._check_range("max_packet", 1, largest)
        self._check_range("outbox_size", self.max_packet, 1 << 30)
        for name in ("evict_worst", "status_socket"):
            if not isinstance(getattr(self, name), bool):
                raise SettingError(f"{name} must be True or False, not {getattr(self, name)!r}")

    def _check_range(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise SettingError(f"{name} must be a whole number from {low} to {high}, not {value!r}")

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> InterfaceSettings:
        """Return the settings given by name.

        Raises:
            SettingError: a name does not exist (the message names the one that was probably meant) or a value is bad.
        """
        try:
            check_options(given, cls, "BLEInterface")
        except BLEDriverError as error:
            raise SettingError(str(error)) from None
        return cls(**given)
