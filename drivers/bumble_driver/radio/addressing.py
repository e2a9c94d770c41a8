"""Whose address: the two that a controller may call its own, and the list of those that it deals with."""

from __future__ import annotations

from bumble import hci

from .air import Air
from .forwarding import Forwarding

_NO_ADDRESS = hci.Address.ANY_RANDOM

_Error = hci.HCI_ErrorCode
_Status = hci.HCI_StatusReturnParameters


class Addressing(Forwarding):
    """Judges own addresses, and keeps the filter accept list."""

    def __init__(self, air: Air) -> None:
        super().__init__(air)
        self._accept_list: set[hci.Address] = set()

    def _can_use(self, own_address_type: int) -> bool:
        """Without LL privacy there are two kinds of own address, and the random one has to have been set."""
        if own_address_type == hci.OwnAddressType.RANDOM:
            return self.random_address != _NO_ADDRESS
        return own_address_type == hci.OwnAddressType.PUBLIC

    def on_hci_le_clear_filter_accept_list_command(
        self, _command: hci.HCI_LE_Clear_Filter_Accept_List_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.15."""
        self._accept_list.clear()
        return _Status(_Error.SUCCESS)

    def on_hci_le_add_device_to_filter_accept_list_command(
        self, command: hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.16."""
        if command.address not in self._accept_list:
            if len(self._accept_list) >= self.filter_accept_list_size:
                return _Status(_Error.MEMORY_CAPACITY_EXCEEDED_ERROR)
            self._accept_list.add(command.address)
        return _Status(_Error.SUCCESS)

    def on_hci_le_remove_device_from_filter_accept_list_command(
        self, command: hci.HCI_LE_Remove_Device_From_Filter_Accept_List_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.17."""
        self._accept_list.discard(command.address)
        return _Status(_Error.SUCCESS)
