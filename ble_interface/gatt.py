"""The GATT service of the Reticulum BLE protocol, its advertisements, and its short frames (PROTOCOL.md)."""

from __future__ import annotations

from ble_driver import BLEDevice

#: The primary service; a setting, because separate networks may want separate ones.
SERVICE_UUID = "37145b00-442d-4a94-917f-8f42c5da28e3"
#: Central to peripheral: write, write without response.
RX_CHAR_UUID = "37145b00-442d-4a94-917f-8f42c5da28e5"
#: Peripheral to central: read, notify.
TX_CHAR_UUID = "37145b00-442d-4a94-917f-8f42c5da28e4"
#: The 16 bytes of the peripheral's identity: read.
IDENTITY_CHAR_UUID = "37145b00-442d-4a94-917f-8f42c5da28e6"

#: Proof of life at radio level, never data.
KEEPALIVE = b"\x00"
#: Seconds of our own silence after which a keepalive is sent.
KEEPALIVE_INTERVAL = 15.0
#: First byte of a liveness probe of two bytes, and of its answer; the second byte is repeated (draft v0.4.0).
PING, PONG = 0x04, 0x05
PROBE_SIZE = 2
#: Seconds that an inbound link may take to tell its identity.
HANDSHAKE_TIMEOUT = 10.0

#: The record that draft v0.3.0 adds to an advertisement: company, first byte, and the flag of a peer that never dials.
RECORD_COMPANY, RECORD_KIND, RECORD_PERIPHERAL_ONLY = 0xFFFF, 0x03, 0x01


def is_peripheral_only(device: BLEDevice) -> bool:
    """Whether an advertisement says that its sender never dials, so that it must be dialled."""
    return any(
        company == RECORD_COMPANY
        and len(data) >= 2
        and data[0] == RECORD_KIND
        and bool(data[1] & RECORD_PERIPHERAL_ONLY)
        for company, data in device.manufacturer_data
    )
