"""Connecting: the one attempt that a controller can have under way, and the link that comes of it."""

from __future__ import annotations

import logging

from bumble import hci

from .advertiser import Advertisement
from .air import Air
from .link import LinkParameters
from .linking import connection_complete
from .scanning import Scanning

log = logging.getLogger(__name__)

_Error = hci.HCI_ErrorCode
_Status = hci.HCI_StatusReturnParameters


class Initiating(Scanning):
    """Waits for the advertisement of whom the host wants, and makes a link of it."""

    def __init__(self, air: Air, *, cancel_event: bool = True) -> None:
        super().__init__(air)
        self._cancel_event = cancel_event
        self._initiating: hci.HCI_LE_Create_Connection_Command | None = None

    @property
    def _has_to_listen(self) -> bool:
        return super()._has_to_listen or self._initiating is not None

    def on_advertisement(self, advertisement: Advertisement) -> None:
        super().on_advertisement(advertisement)
        if self._initiating is not None:
            self._try_to_connect(self._initiating, advertisement)

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
