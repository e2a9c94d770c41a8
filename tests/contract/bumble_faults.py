"""Faults of a peripheral on bumble: it looks at what a central asks, and does something else than it should."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bumble import att
from bumble.device import Connection, Device

from ble_testing.contract import FaultName, StepName
from drivers.bumble_driver.connection import disconnect

#: Seconds that a refused connection may take to end.
PARTING = 1.0


def step_of(pdu: att.ATT_PDU, rx_handle: int) -> StepName | None:
    """Return the step that a central takes with this request."""
    if isinstance(pdu, att.ATT_Exchange_MTU_Request):
        return "mtu"
    if isinstance(pdu, (att.ATT_Find_By_Type_Value_Request, att.ATT_Read_By_Type_Request)):
        return "discovery"
    if isinstance(pdu, att.ATT_Read_Request):
        return "identity"
    if isinstance(pdu, att.ATT_Write_Request):
        return "handshake" if pdu.attribute_handle == rx_handle else "subscribe"
    return None


class FaultyPeripheral:
    """Lets one fault strike at one step of all links to a device.

    Args:
        device: the peripheral.
        rx_handle: of its characteristic for frames.
        fault: what happens.
        step: in whose place.
        break_link: breaks the radio link, so that both ends notice.
    """

    def __init__(
        self,
        device: Device,
        rx_handle: int,
        fault: FaultName,
        step: StepName,
        break_link: Callable[[Connection], None],
    ) -> None:
        self._device, self._rx_handle, self._fault, self._step = device, rx_handle, fault, step
        self._break_link = break_link
        self._silent: set[Connection] = set()
        self._serve = device.gatt_server.on_gatt_pdu
        device.gatt_server.on_gatt_pdu = self._on_pdu  # type: ignore[method-assign, assignment]
        device.on(Device.EVENT_CONNECTION, self._on_connection)

    def heal(self) -> None:
        """Behave again; connections that are there are served as before."""
        self._device.gatt_server.on_gatt_pdu = self._serve  # type: ignore[method-assign]
        self._device.remove_listener(Device.EVENT_CONNECTION, self._on_connection)

    def _on_connection(self, connection: Connection) -> None:
        if self._step == "connect":
            self._strike(connection)

    def _on_pdu(self, connection: Connection, pdu: att.ATT_PDU) -> None:
        if step_of(pdu, self._rx_handle) == self._step and connection not in self._silent:
            self._strike(connection)
        if connection not in self._silent:
            self._serve(connection, pdu)

    def _strike(self, connection: Connection) -> None:
        self._silent.add(connection)
        if self._fault == "refuse":
            self._parting = asyncio.ensure_future(disconnect(connection, PARTING))
        elif self._fault == "drop":
            self._break_link(connection)
