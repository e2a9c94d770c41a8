"""One virtual LE controller: what a host sees through HCI (Core Spec Vol 4, Part E)."""

from __future__ import annotations

import logging
import struct

from bumble import hci

from .advertiser import MAX_DATA_LENGTH, MAX_INTERVAL, MIN_INTERVAL, SUPPORTED_TYPES, Advertisement, Advertiser
from .air import Air
from .forwarding import Forwarding
from .h4 import ACL_DATA, COMMAND, ProtocolError
from .link import LinkParameters
from .linking import connection_complete

log = logging.getLogger(__name__)

_DUPLICATES = 256
"""Advertisers that the duplicate filter remembers; beyond that the oldest is reported anew, as controllers do."""

_NO_ADDRESS = hci.Address.ANY_RANDOM

_Error = hci.HCI_ErrorCode
_Status = hci.HCI_StatusReturnParameters


class RadioController(Forwarding):
    """bumble's controller, restricted to legacy LE and made strict where a real one is.

    It belongs to ``air`` from construction until ``detach``. Set ``host`` to an object whose ``on_packet`` takes what
    the controller sends; give ``on_packet`` here what the host sends. Whoever carries the bytes says with
    ``set_congested`` when the host takes them more slowly than they come.

    ``cancel_event=False`` leaves out the LE Connection Complete event that has to follow a cancelled attempt. bumble's
    host waits for that event; Debian's 6.1 kernel has been seen to corrupt a list over it.
    """

    le_scan_own_address_type = hci.Address.PUBLIC_DEVICE_ADDRESS
    le_features = (
        hci.LeFeatureMask.LE_ENCRYPTION
        | hci.LeFeatureMask.CONNECTION_PARAMETERS_REQUEST_PROCEDURE
        | hci.LeFeatureMask.EXTENDED_REJECT_INDICATION
        | hci.LeFeatureMask.PERIPHERAL_INITIATED_FEATURE_EXCHANGE
        | hci.LeFeatureMask.LE_DATA_PACKET_LENGTH_EXTENSION
    )

    def __init__(self, air: Air, *, cancel_event: bool = True) -> None:
        super().__init__(air)
        self.advertiser = Advertiser(self)
        self.le_legacy_advertiser = self.advertiser
        self._cancel_event = cancel_event
        self._initiating: hci.HCI_LE_Create_Connection_Command | None = None
        self._accept_list: set[hci.Address] = set()
        self._reported: dict[hci.Address, bytes] = {}

    @property
    def radio(self) -> RadioController:
        return self

    def detach(self) -> None:
        """The host is gone: be silent, and leave."""
        self.host = None
        self._forget_everything()
        self.air.remove_controller(self)

    def _forget_everything(self) -> None:
        self.advertiser.stop()
        self.le_scan_enable = False
        self._initiating = None
        self._listen()
        for link in self.links:
            self._remove(link)
            self.air.cut(link)

    def on_packet(self, packet: bytes) -> None:
        """Take one complete H4 packet. Raises whatever a packet that makes no sense provokes; drop its sender then."""
        if packet[0] == ACL_DATA:
            self._on_acl_data(packet)
        elif packet[0] == COMMAND:
            self._on_command(packet)
        else:
            raise ProtocolError(f"packet indicator 0x{packet[0]:02x}")

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Section 7.3.2: everything as after power-up. The host hears nothing of the links it had."""
        self._forget_everything()
        self.advertiser = Advertiser(self)
        self.le_legacy_advertiser = self.advertiser
        self.random_address = hci.Address("00:00:00:00:00:00")
        self.lmp_features = type(self).lmp_features
        self.le_scan_type = 0
        self.le_scan_own_address_type = hci.Address.PUBLIC_DEVICE_ADDRESS
        self.le_scanning_filter_policy = 0
        self._accept_list.clear()
        return _Status(_Error.SUCCESS)

    def on_hci_le_set_random_address_command(
        self, command: hci.HCI_LE_Set_Random_Address_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.4: not while it may be on the air."""
        if self.advertiser.enabled or self.le_scan_enable or self._initiating is not None:
            return _Status(_Error.COMMAND_DISALLOWED_ERROR)
        return super().on_hci_le_set_random_address_command(command)

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

    def _listen(self) -> None:
        self.air.set_listening(self, self.le_scan_enable or self._initiating is not None)

    def on_advertisement(self, advertisement: Advertisement) -> None:
        """Somebody advertises, and we listen."""
        if self.le_scan_enable and not self._congested:
            self._report(advertisement)
        if self._initiating is not None:
            self._try_to_connect(self._initiating, advertisement)

    def _report(self, advertisement: Advertisement) -> None:
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
        rssi = struct.pack("b", self.air.rssi(advertisement.sender, self))
        self._send(advertisement.report + rssi)
        if response is not None:
            self._send(response + rssi)

    def on_hci_le_create_connection_command(self, command: hci.HCI_LE_Create_Connection_Command) -> None:
        """Section 7.8.12."""
        to_one_peer = command.initiator_filter_policy == 0
        if self._initiating is not None:
            status = _Error.COMMAND_DISALLOWED_ERROR
        elif (
            command.initiator_filter_policy > 1
            or (to_one_peer and command.peer_address_type > hci.Address.RANDOM_DEVICE_ADDRESS)
            or not self._can_use(command.own_address_type)
            or LinkParameters.from_request(command) is None
        ):
            status = _Error.INVALID_COMMAND_PARAMETERS_ERROR
        elif to_one_peer and self.has_link_with(command.peer_address):
            status = _Error.CONNECTION_ALREADY_EXISTS_ERROR
        else:
            status = _Error.SUCCESS
        self._send_hci_command_status(status, command.op_code)
        if status == _Error.SUCCESS:
            self._initiating = command
            self._listen()

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Section 7.8.13. The event that follows says that the attempt is over, not that a link is."""
        command, self._initiating = self._initiating, None
        if command is None:
            return _Status(_Error.COMMAND_DISALLOWED_ERROR)
        self._listen()
        if self._cancel_event:
            self._followup = connection_complete(_Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.peer_address, None)
        return _Status(_Error.SUCCESS)

    def _try_to_connect(self, command: hci.HCI_LE_Create_Connection_Command, heard: Advertisement) -> None:
        """Answer an advertisement with a CONNECT_IND, if it is the awaited one and would be taken.

        The other side may have been faster, or an earlier listener may have taken this very advertisement: then the
        attempt stays pending, as on air.
        """
        wanted = (
            heard.address in self._accept_list
            if command.initiator_filter_policy
            else heard.address == command.peer_address
        )
        own = self.public_address if command.own_address_type == hci.OwnAddressType.PUBLIC else self.random_address
        target, parameters = heard.sender, LinkParameters.from_request(command)
        if (
            not wanted
            or parameters is None
            or not (heard.connectable and target.advertiser.is_connectable)
            or self.has_link_with(heard.address)
            or target.has_link_with(own)
        ):
            return
        self._initiating = None
        self._listen()
        target.advertiser.stop()  # being connected ends connectable advertising: Vol 6, Part B, section 4.4.2
        central = self._add_link(hci.Role.CENTRAL, own, heard.address, parameters)
        peripheral = target._add_link(hci.Role.PERIPHERAL, heard.address, own, parameters)
        self.air.connect(central, peripheral)
        log.info("%s (%s): link to %s (%s) up", self.name, own, target.name, heard.address)
        self._announce(central)
        target._announce(peripheral)
