"""The peripheral's part: the GATT service, and how the advertisement looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bumble import att, core, gatt
from bumble.device import Advertisement, Connection

from ble_driver import GattUUIDs

#: Seconds that a central may take from its connection to its first subscription or write; after that it is ended.
UNHEARD_TIMEOUT = 10.0

_READ, _WRITE = gatt.Characteristic.READABLE, gatt.Characteristic.WRITEABLE
_MANUFACTURER = core.AdvertisingData.MANUFACTURER_SPECIFIC_DATA
_Properties = gatt.Characteristic.Properties


class GattService:
    """Our service as others see it.

    Args:
        uuids: of the service and its characteristics.
        identity: returns the identity to tell, or None while there is none.
        on_write: called with each write to RX.
        on_subscription: called when a central turns notifications on or off.
    """

    def __init__(
        self,
        uuids: GattUUIDs,
        identity: Callable[[], bytes | None],
        on_write: Callable[[Connection, bytes], Any],
        on_subscription: Callable[[Connection, bool], Any],
    ) -> None:
        self._identity = identity
        self._on_write = on_write
        self.tx = gatt.Characteristic(uuids.tx, _Properties.READ | _Properties.NOTIFY, _READ, b"")
        self.tx.on(
            gatt.Characteristic.EVENT_SUBSCRIPTION,
            lambda connection, notify, _indicate: on_subscription(connection, notify),
        )
        rx: gatt.Characteristic[bytes] = gatt.Characteristic(
            uuids.rx,
            _Properties.WRITE | _Properties.WRITE_WITHOUT_RESPONSE,
            _WRITE,
            gatt.CharacteristicValue(write=self._write),
        )
        told: gatt.Characteristic[bytes] = gatt.Characteristic(
            uuids.identity, _Properties.READ, _READ, gatt.CharacteristicValue(read=self._read_identity)
        )
        self.service = gatt.Service(uuids.service, [rx, self.tx, told])

    def _write(self, connection: Connection, value: bytes) -> None:
        self._on_write(connection, bytes(value))

    def _read_identity(self, _connection: Connection) -> bytes:
        identity = self._identity()
        if identity is None:
            # Zeros would be taken for an identity (PROTOCOL.md, GATT).
            raise att.ATT_Error(att.ATT_UNLIKELY_ERROR_ERROR)
        return identity


def advertising_data(service_uuid: str, name: str | None) -> bytes:
    """Return flags, the service, and the name if there is one: at most 31 bytes (PROTOCOL.md, Advertising)."""
    flags = core.AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | core.AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
    fields: list[tuple[int, bytes]] = [
        (core.AdvertisingData.FLAGS, bytes([flags])),
        (core.AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, core.UUID(service_uuid).to_bytes()),
    ]
    if name is not None:
        fields.append((core.AdvertisingData.COMPLETE_LOCAL_NAME, name.encode()))
    return bytes(core.AdvertisingData(fields))


def advertises(advertisement: Advertisement, service_uuid: str) -> bool:
    """Whether an advertisement lists the service."""
    wanted = core.UUID(service_uuid).to_bytes()
    for kind in (
        core.AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
        core.AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    ):
        for raw in advertisement.data.get_all(kind, raw=True):
            if wanted in (raw[at : at + 16] for at in range(0, len(raw), 16)):
                return True
    return False


def advertised_name(advertisement: Advertisement) -> str | None:
    """Return the local name in an advertisement, None if there is none."""
    raw = advertisement.data.get(core.AdvertisingData.COMPLETE_LOCAL_NAME, raw=True)
    return bytes(raw).decode(errors="replace") if raw else None


def manufacturer_data(advertisement: Advertisement) -> tuple[tuple[int, bytes], ...]:
    """Return the manufacturer-specific records: company identifier and what follows it (CSS, Part A, 1.4)."""
    records = (bytes(raw) for raw in advertisement.data.get_all(_MANUFACTURER, raw=True))
    return tuple((int.from_bytes(raw[:2], "little"), raw[2:]) for raw in records if len(raw) >= 2)
