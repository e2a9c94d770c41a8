"""The links of one controller, the handles that a host knows them by, and how they end."""

from __future__ import annotations

import logging

from bumble import hci
from bumble.core import PhysicalTransport

from .air import Air
from .answering import Answering
from .link import LinkParameters, RadioConnection

log = logging.getLogger(__name__)

_MAX_HANDLE = 0x0EFF
"""Vol 4, Part E, section 5.4.2."""

_DISCONNECT_REASONS = frozenset({0x05, 0x13, 0x14, 0x15, 0x1A, 0x29, 0x3B})
"""What a host may give as a reason (section 7.1.6)."""

_Error = hci.HCI_ErrorCode
_Status = hci.HCI_StatusReturnParameters


def connection_complete(
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


class Linking(Answering):
    """Keeps the links, and serves the commands that name one."""

    def __init__(self, air: Air) -> None:
        super().__init__(air)
        self._links: dict[int, RadioConnection] = {}
        self._last_handle = 0

    @property
    def links(self) -> tuple[RadioConnection, ...]:
        """The links that this host believes to have."""
        return tuple(self._links.values())

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
            radio=self.radio,
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
        self.send_hci_packet(connection_complete(_Error.SUCCESS, link.peer_address, link))

    def _remove(self, link: RadioConnection) -> bool:
        if self._links.pop(link.handle, None) is None:
            return False
        del self.le_connections[link.peer_address]
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
            status=_Error.SUCCESS, handle=command.handle, rssi=self.air.rssi(link.peer.radio, self.radio)
        )

    # Encryption: the base class negotiates it

    def on_le_long_term_key_reply(self, connection: object, request: object, long_term_key: bytes | None) -> None:
        # It comes one turn of the loop after the command, and the link may have ended in between.
        if isinstance(connection, RadioConnection) and connection.handle in self._links:
            # bumble wants a Connection of its own, and uses only what this one has as well.
            super().on_le_long_term_key_reply(connection, request, long_term_key)  # type: ignore[arg-type]
