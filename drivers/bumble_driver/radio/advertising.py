"""The commands that set up and start legacy advertising."""

from __future__ import annotations

from bumble import hci

from .addressing import Addressing
from .advertiser import MAX_DATA_LENGTH, MAX_INTERVAL, MIN_INTERVAL, SUPPORTED_TYPES, Advertiser
from .air import Air

_Error = hci.HCI_ErrorCode
_Status = hci.HCI_StatusReturnParameters


class Advertising(Addressing):
    """Refuses what an advertiser may not be told; the base class hands on the rest."""

    advertiser: Advertiser

    def __init__(self, air: Air) -> None:
        super().__init__(air)
        self._renew_advertiser()

    def _renew_advertiser(self) -> None:
        """Start from the defaults of the specification."""
        self.advertiser = Advertiser(self.radio)
        self.le_legacy_advertiser = self.advertiser

    def on_hci_le_set_advertising_parameters_command(
        self, command: hci.HCI_LE_Set_Advertising_Parameters_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.5."""
        if self.advertiser.enabled:
            return _Status(_Error.COMMAND_DISALLOWED_ERROR)
        if command.advertising_type not in SUPPORTED_TYPES or command.advertising_filter_policy:
            return _Status(_Error.UNSUPPORTED_FEATURE_OR_PARAMETER_VALUE_ERROR)
        if not MIN_INTERVAL <= command.advertising_interval_min <= command.advertising_interval_max <= MAX_INTERVAL:
            return _Status(_Error.INVALID_COMMAND_PARAMETERS_ERROR)
        return super().on_hci_le_set_advertising_parameters_command(command)

    def on_hci_le_set_advertising_data_command(
        self, command: hci.HCI_LE_Set_Advertising_Data_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.7."""
        if len(command.advertising_data) > MAX_DATA_LENGTH:
            return _Status(_Error.INVALID_COMMAND_PARAMETERS_ERROR)
        return super().on_hci_le_set_advertising_data_command(command)

    def on_hci_le_set_scan_response_data_command(
        self, command: hci.HCI_LE_Set_Scan_Response_Data_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.8."""
        if len(command.scan_response_data) > MAX_DATA_LENGTH:
            return _Status(_Error.INVALID_COMMAND_PARAMETERS_ERROR)
        return super().on_hci_le_set_scan_response_data_command(command)

    def on_hci_le_set_advertising_enable_command(
        self, command: hci.HCI_LE_Set_Advertising_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.9."""
        if command.advertising_enable and not self._can_use(self.advertiser.own_address_type):
            return _Status(_Error.INVALID_COMMAND_PARAMETERS_ERROR)
        return super().on_hci_le_set_advertising_enable_command(command)
