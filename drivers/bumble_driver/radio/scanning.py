"""Scanning, and which of the advertisements that are heard a host is told of."""

from __future__ import annotations

import struct

from bumble import hci

from .advertiser import Advertisement
from .advertising import Advertising
from .air import Air

_DUPLICATES = 256
"""Advertisers that the duplicate filter remembers; beyond that the oldest is reported anew, as controllers do."""

_Error = hci.HCI_ErrorCode
_Status = hci.HCI_StatusReturnParameters


class Scanning(Advertising):
    """Reports advertisements while a host scans."""

    le_scan_own_address_type = hci.Address.PUBLIC_DEVICE_ADDRESS

    def __init__(self, air: Air) -> None:
        super().__init__(air)
        self._reported: dict[hci.Address, bytes] = {}

    def on_hci_le_set_scan_parameters_command(
        self, command: hci.HCI_LE_Set_Scan_Parameters_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.10."""
        if command.scanning_filter_policy > 1:
            return _Status(_Error.UNSUPPORTED_FEATURE_OR_PARAMETER_VALUE_ERROR)
        if command.le_scan_type > 1 or not 0x0004 <= command.le_scan_window <= command.le_scan_interval <= 0x4000:
            return _Status(_Error.INVALID_COMMAND_PARAMETERS_ERROR)
        return super().on_hci_le_set_scan_parameters_command(command)

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.11."""
        if command.le_scan_enable and not self._can_use(self.le_scan_own_address_type):
            return _Status(_Error.INVALID_COMMAND_PARAMETERS_ERROR)
        self._reported.clear()
        result = super().on_hci_le_set_scan_enable_command(command)
        self._listen()
        return result

    @property
    def _has_to_listen(self) -> bool:
        return bool(self.le_scan_enable)

    def _listen(self) -> None:
        """Begin to listen, or stop, as what the host wants has changed."""
        self.air.set_listening(self.radio, self._has_to_listen)

    def on_advertisement(self, advertisement: Advertisement) -> None:
        """Somebody advertises, and we listen: tell the host, if it scans and keeps up."""
        if not self.le_scan_enable or self._congested:
            return
        if self.le_scanning_filter_policy and advertisement.address not in self._accept_list:
            return
        response = advertisement.response if self.le_scan_type else None
        if self.filter_duplicates:
            content = advertisement.report + (response or b"")
            if self._reported.get(advertisement.address) == content:
                return
            if len(self._reported) >= _DUPLICATES:
                del self._reported[next(iter(self._reported))]
            self._reported[advertisement.address] = content
        rssi = struct.pack("b", self.air.rssi(advertisement.sender, self.radio))
        self._send(advertisement.report + rssi)
        if response is not None:
            self._send(response + rssi)
