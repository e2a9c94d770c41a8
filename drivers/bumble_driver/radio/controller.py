"""One virtual LE controller: what a host sees through HCI (Core Spec Vol 4, Part E)."""

from __future__ import annotations

import asyncio
import logging
import struct

from bumble import hci
from bumble.controller import Controller
from bumble.core import PhysicalTransport

from .advertiser import MAX_DATA_LENGTH, MAX_INTERVAL, MIN_INTERVAL, SUPPORTED_TYPES, Advertisement, Advertiser
from .air import Air
from .commands import ANNOUNCED, SERVED
from .h4 import ACL_DATA, COMMAND, EVENT, ProtocolError
from .link import LinkParameters, RadioConnection

log = logging.getLogger(__name__)

ACL_LENGTH = 251
"""The longest LE data PDU (Vol 6, Part B, section 2.4), so a host packet is one packet on the air."""

ACL_BUFFERS = 64

_ACL_HEADER = 5
"""Bytes before the payload: packet indicator, handle with flags, length (Vol 4, Part E, section 5.4.2)."""

_MAX_HANDLE = 0x0EFF
"""Vol 4, Part E, section 5.4.2."""

_DUPLICATES = 256
"""Advertisers that the duplicate filter remembers; beyond that the oldest is reported anew, as controllers do."""

_CONTINUATION, _FIRST, _COMPLETE = 0b01, 0b10, 0b11
"""Packet boundary flags (section 5.4.2). From a controller a start is always 0b10; 0b11 is not for LE."""

_NUMBER_OF_COMPLETED_PACKETS = 0x13

_DISCONNECT_REASONS = frozenset({0x05, 0x13, 0x14, 0x15, 0x1A, 0x29, 0x3B})
"""What a host may give as a reason (section 7.1.6)."""

_NO_ADDRESS = hci.Address.ANY_RANDOM

_Error = hci.HCI_ErrorCode
_Status = hci.HCI_StatusReturnParameters


class RadioController(Controller):
    """bumble's controller, restricted to legacy LE and made strict where a real one is.

    It belongs to ``air`` from construction until ``detach``. Set ``host`` to an object whose ``on_packet`` takes what
    the controller sends; give ``on_packet`` here what the host sends. Whoever carries the bytes says with
    ``set_congested`` when the host takes them more slowly than they come.

    ``cancel_event=False`` leaves out the LE Connection Complete event that has to follow a cancelled attempt. bumble's
    host waits for that event; Debian's 6.1 kernel has been seen to corrupt a list over it.
    """

    acl_data_packet_length = ACL_LENGTH
    total_num_acl_data_packets = ACL_BUFFERS
    le_acl_data_packet_length = ACL_LENGTH
    total_num_le_acl_data_packets = ACL_BUFFERS
    supported_max_tx_octets = ACL_LENGTH
    supported_max_tx_time = 2120
    supported_max_rx_octets = ACL_LENGTH
    supported_max_rx_time = 2120
    supported_commands = set(ANNOUNCED)  # noqa: RUF012 - as the base class declares it; never changed
    le_scan_own_address_type = hci.Address.PUBLIC_DEVICE_ADDRESS
    le_features = (
        hci.LeFeatureMask.LE_ENCRYPTION
        | hci.LeFeatureMask.CONNECTION_PARAMETERS_REQUEST_PROCEDURE
        | hci.LeFeatureMask.EXTENDED_REJECT_INDICATION
        | hci.LeFeatureMask.PERIPHERAL_INITIATED_FEATURE_EXCHANGE
        | hci.LeFeatureMask.LE_DATA_PACKET_LENGTH_EXTENSION
    )

    def __init__(self, air: Air, *, cancel_event: bool = True) -> None:
        address = air.allocate_address()
        super().__init__(str(address), link=air, public_address=address)
        self.air = air
        self.advertiser = Advertiser(self)
        self.le_legacy_advertiser = self.advertiser
        self._cancel_event = cancel_event
        self._congested = False
        self._initiating: hci.HCI_LE_Create_Connection_Command | None = None
        self._accept_list: set[hci.Address] = set()
        self._reported: dict[hci.Address, bytes] = {}
        self._links: dict[int, RadioConnection] = {}
        self._last_handle = 0
        self._buffers_used = 0
        self._transmits_until = 0.0
        self._to_complete: dict[int, RadioConnection] = {}
        self._followup: hci.HCI_Packet | None = None

    @property
    def links(self) -> tuple[RadioConnection, ...]:
        """The links that this host believes to have."""
        return tuple(self._links.values())

    # The host comes, goes, and reads

    def detach(self) -> None:
        """The host is gone: be silent, and leave."""
        self.host = None
        self._forget_everything()
        self.air.remove_controller(self)

    def set_congested(self, congested: bool) -> None:
        """While congested, peers get no buffers back for what they send here, and advertisements are not reported."""
        self._congested = congested
        if not congested:
            for link in self.links:
                if link.peer is not None:
                    link.peer.radio._complete_packets(link.peer)

    def _forget_everything(self) -> None:
        self.advertiser.stop()
        self.le_scan_enable = False
        self._initiating = None
        self._listen()
        for link in self.links:
            self._remove(link)
            self.air.cut(link)

    # Packets between host and controller

    def on_packet(self, packet: bytes) -> None:
        """Take one complete H4 packet. Raises whatever a packet that makes no sense provokes; drop its sender then."""
        if packet[0] == ACL_DATA:
            self._on_acl_data(packet)
        elif packet[0] == COMMAND:
            self._on_command(packet)
        else:
            raise ProtocolError(f"packet indicator 0x{packet[0]:02x}")

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        # Unlike the base class: now instead of in the next turn of the loop, and without a log line for each.
        self._send(bytes(packet))

    def _send(self, packet: bytes) -> None:
        if self.host is not None:
            self.host.on_packet(packet)

    def _on_command(self, packet: bytes) -> None:
        (op_code,) = struct.unpack_from("<H", packet, 1)
        if op_code not in SERVED:
            self._send_hci_command_status(_Error.UNKNOWN_HCI_COMMAND_ERROR, op_code)
            return
        self.on_hci_command_packet(hci.HCI_Command.command_classes[op_code].from_parameters(packet[4:]))
        followup, self._followup = self._followup, None
        if followup is not None:
            self.send_hci_packet(followup)

    def _on_acl_data(self, packet: bytes) -> None:
        flags, length = struct.unpack_from("<HH", packet, 1)
        link = self._links.get(flags & 0x0FFF)
        if link is None:
            return  # sent before the host read that the link is down
        boundary = flags >> 12 & 0b11
        if boundary == _COMPLETE:
            raise ProtocolError("packet boundary flag 0b11 on an LE link")
        if self._buffers_used == ACL_BUFFERS:
            raise ProtocolError(f"more than {ACL_BUFFERS} packets outstanding")
        link.uncompleted += 1
        self._buffers_used += 1
        airtime = self.air.airtime(length)
        if not airtime:
            self._deliver(link, boundary, packet)
            return
        loop = asyncio.get_running_loop()
        self._transmits_until = max(self._transmits_until, loop.time()) + airtime  # one packet at a time
        link.on_air += 1
        loop.call_at(self._transmits_until, self._end_airtime, link, boundary, packet)

    def _end_airtime(self, link: RadioConnection, boundary: int, packet: bytes) -> None:
        link.on_air -= 1
        self._deliver(link, boundary, packet)

    def _deliver(self, link: RadioConnection, boundary: int, packet: bytes) -> None:
        peer = link.peer
        if peer is None:
            return  # nobody acknowledges any more
        length = len(packet) - _ACL_HEADER
        if length:
            start = _CONTINUATION if boundary == _CONTINUATION else _FIRST
            peer.radio._send(struct.pack("<BHH", ACL_DATA, start << 12 | peer.handle, length) + packet[_ACL_HEADER:])
        if not self._to_complete:
            asyncio.get_running_loop().call_soon(self._complete_touched)  # one event for what came in one read
        self._to_complete[link.handle] = link

    def _complete_touched(self) -> None:
        links, self._to_complete = self._to_complete, {}
        for link in links.values():
            self._complete_packets(link)

    def _complete_packets(self, link: RadioConnection) -> None:
        """Give the host its buffers back, unless the peer's host is behind (section 7.7.19)."""
        count = link.uncompleted - link.on_air
        if not count or link.peer is None or link.peer.radio._congested:
            return
        link.uncompleted -= count
        self._buffers_used -= count
        self._send(struct.pack("<BBBBHH", EVENT, _NUMBER_OF_COMPLETED_PACKETS, 5, 1, link.handle, count))

    # Links

    def allocate_connection_handle(self) -> int:
        """The next handle in turn: data that was on its way when a link ended must not land on a new one."""
        while True:
            self._last_handle = self._last_handle % _MAX_HANDLE + 1
            if self._last_handle not in self._links:
                return self._last_handle

    def find_connection_by_handle(self, handle: int) -> RadioConnection | None:
        return self._links.get(handle)

    def find_le_connection_by_handle(self, handle: int) -> RadioConnection | None:
        return self._links.get(handle)

    def has_link_with(self, address: hci.Address) -> bool:
        """Whether there is a link with that address, even one whose other end has fallen silent."""
        return address in self.le_connections

    def _add_link(
        self, role: hci.Role, own: hci.Address, other: hci.Address, parameters: LinkParameters
    ) -> RadioConnection:
        link = RadioConnection(
            controller=self,
            radio=self,
            handle=self.allocate_connection_handle(),
            role=role,
            self_address=own,
            peer_address=other,
            link=self.air,
            transport=PhysicalTransport.LE,
            link_type=hci.HCI_Connection_Complete_Event.LinkType.ACL,
            parameters=parameters,
        )
        self._links[link.handle] = link
        self.le_connections[other] = link
        return link

    def _announce(self, link: RadioConnection) -> None:
        self.send_hci_packet(_connection_complete(_Error.SUCCESS, link.peer_address, link))

    def _remove(self, link: RadioConnection) -> bool:
        if self._links.pop(link.handle, None) is None:
            return False
        del self.le_connections[link.peer_address]
        self._buffers_used -= link.uncompleted  # the host, too, counts them as flushed
        if link.supervision is not None:
            link.supervision.cancel()
            link.supervision = None
        return True

    def on_link_lost(self, link: RadioConnection, reason: int) -> None:
        """The link is down at this end: tell the host, once."""
        link.peer = None
        if self._remove(link):
            log.info("%s: link to %s down, reason 0x%02x", self.name, link.peer_address, reason)
            self.send_hci_packet(
                hci.HCI_Disconnection_Complete_Event(
                    status=_Error.SUCCESS, connection_handle=link.handle, reason=reason
                )
            )

    def on_le_disconnected(self, connection: object, reason: int) -> None:
        # The base class comes here when a key does not fit (Vol 6, Part B, section 5.1.3).
        if isinstance(connection, RadioConnection):
            self.on_link_lost(connection, reason)

    def on_hci_disconnect_command(self, command: hci.HCI_Disconnect_Command) -> None:
        """Section 7.1.6. Both ends go down in one step, so disconnects cannot cross inside the radio."""
        link = self._links.get(command.connection_handle)
        if link is None:
            self._send_hci_command_status(_Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
            return
        if command.reason not in _DISCONNECT_REASONS:
            self._send_hci_command_status(_Error.INVALID_COMMAND_PARAMETERS_ERROR, command.op_code)
            return
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        peer = link.peer
        self.on_link_lost(link, _Error.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)
        if peer is not None:
            peer.radio.on_link_lost(peer, command.reason)

    def on_hci_le_connection_update_command(self, command: hci.HCI_LE_Connection_Update_Command) -> None:
        """Section 7.8.18. Asked by either side, granted at once."""
        link = self._links.get(command.connection_handle)
        parameters = LinkParameters.from_request(command)
        if link is None:
            self._send_hci_command_status(_Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
        elif parameters is None:
            self._send_hci_command_status(_Error.INVALID_COMMAND_PARAMETERS_ERROR, command.op_code)
        else:
            self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
            for end in (link, link.peer):
                if end is not None:
                    end.parameters = parameters
                    end.radio.send_hci_packet(
                        hci.HCI_LE_Connection_Update_Complete_Event(
                            status=_Error.SUCCESS,
                            connection_handle=end.handle,
                            connection_interval=parameters.interval,
                            peripheral_latency=parameters.latency,
                            supervision_timeout=parameters.timeout,
                        )
                    )

    def on_hci_read_rssi_command(self, command: hci.HCI_Read_RSSI_Command) -> hci.HCI_StatusReturnParameters:
        """Section 7.5.4."""
        link = self._links.get(command.handle)
        if link is None or link.peer is None:
            return _Status(_Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR)
        return hci.HCI_Read_RSSI_ReturnParameters(
            status=_Error.SUCCESS, handle=command.handle, rssi=self.air.rssi(link.peer.radio, self)
        )

    # Addresses and lists

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

    # Advertising

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

    # Scanning

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

    # Initiating

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
            self._followup = _connection_complete(
                _Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.peer_address, None
            )
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

    # Encryption: the base class negotiates it

    def on_le_long_term_key_reply(self, connection: object, request: object, long_term_key: bytes | None) -> None:
        # It comes one turn of the loop after the command, and the link may have ended in between.
        if isinstance(connection, RadioConnection) and connection.handle in self._links:
            super().on_le_long_term_key_reply(connection, request, long_term_key)  # type: ignore[arg-type]


def _connection_complete(
    status: int, peer: hci.Address, link: RadioConnection | None
) -> hci.HCI_LE_Connection_Complete_Event:
    """Section 7.7.65.1. Without a link the fields that describe one are zero."""
    parameters = link.parameters if link else LinkParameters(0, 0, 0)
    return hci.HCI_LE_Connection_Complete_Event(
        status=status,
        connection_handle=link.handle if link else 0,
        role=link.role if link else hci.Role.CENTRAL,
        peer_address_type=peer.address_type,
        peer_address=peer,
        connection_interval=parameters.interval,
        peripheral_latency=parameters.latency,
        supervision_timeout=parameters.timeout,
        central_clock_accuracy=0,
    )
