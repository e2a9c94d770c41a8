"""Legacy advertising of one controller, in real time (Core Spec Vol 6, Part B, section 4.4.2)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bumble import hci
from bumble.controller import LegacyAdvertiser

from .h4 import EVENT

if TYPE_CHECKING:
    from .controller import RadioController

INTERVAL_UNIT = 0.000_625
"""Seconds per unit of an advertising interval (Vol 4, Part E, section 7.8.5)."""

MIN_INTERVAL, MAX_INTERVAL = 0x0020, 0x4000
"""20 ms to 10.24 s. Anything shorter would also let one host keep the whole process busy."""

DEFAULT_INTERVAL = 0x0800
"""1.28 s, the default of section 7.8.5."""

MAX_DELAY = 0.010
"""advDelay: 0 to 10 ms, anew for each event, so that two advertisers do not stay in step (section 4.4.2.2.1)."""

MAX_DATA_LENGTH = 31
"""Bytes of data in a legacy advertisement or scan response (Vol 6, Part B, section 2.3.1)."""

_Type = hci.HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType
_SCANNABLE = (_Type.ADV_IND, _Type.ADV_SCAN_IND)
SUPPORTED_TYPES = (_Type.ADV_IND, _Type.ADV_SCAN_IND, _Type.ADV_NONCONN_IND)

_LE_META_EVENT = 0x3E
_ADVERTISING_REPORT = 0x02
_SCAN_RESPONSE = 0x04


def encode_report(event_type: int, address: hci.Address, data: bytes) -> bytes:
    """An LE Advertising Report event with one report, complete but for its last byte, the RSSI (section 7.7.65.2).

    The RSSI is what differs between receivers, so an advertisement is encoded once however many hear it.
    """
    head = bytes((_ADVERTISING_REPORT, 1, event_type, address.address_type))
    body = head + bytes(address) + bytes((len(data),)) + data
    return bytes((EVENT, _LE_META_EVENT, len(body) + 1)) + body


@dataclass(frozen=True)
class Advertisement:
    """What one advertising event puts on the air."""

    sender: RadioController
    address: hci.Address
    connectable: bool
    report: bytes
    response: bytes | None
    """The report of the scan response, which only an active scanner asks for. None: not scannable."""


class Advertiser(LegacyAdvertiser):
    """Sends advertisements from a timer of its own while enabled."""

    def __init__(self, controller: RadioController) -> None:
        super().__init__(
            controller, advertising_interval_min=DEFAULT_INTERVAL, advertising_interval_max=DEFAULT_INTERVAL
        )
        self._radio = controller

    @property
    def is_connectable(self) -> bool:
        """Whether a CONNECT_IND sent now would be taken."""
        return self.enabled and self.advertising_type == _Type.ADV_IND

    def _on_timer_fired(self) -> None:
        # The next event is scheduled first, so that a connection made by this one can call it off.
        delay = self.advertising_interval_min * INTERVAL_UNIT + self._radio.air.rng.uniform(0.0, MAX_DELAY)
        self.timer_handle = asyncio.get_running_loop().call_later(delay, self._on_timer_fired)
        self.send_advertising_data()

    def send_advertising_data(self) -> None:
        if self.enabled and self._radio.air.has_listeners:
            self._radio.air.broadcast(self._advertisement())

    def _advertisement(self) -> Advertisement:
        address, kind = self.address, self.advertising_type
        return Advertisement(
            sender=self._radio,
            address=address,
            connectable=self.is_connectable,
            report=encode_report(kind, address, self.advertising_data),
            response=encode_report(_SCAN_RESPONSE, address, self.scan_response_data) if kind in _SCANNABLE else None,
        )
