"""What every controller does: it is on an air, takes commands from its host, and answers with events."""

from __future__ import annotations

import struct
from abc import abstractmethod
from typing import TYPE_CHECKING

from bumble import hci
from bumble.controller import Controller

from .air import Air
from .commands import ANNOUNCED, SERVED

if TYPE_CHECKING:
    from .controller import RadioController


class Answering(Controller):
    """Serves the listed commands, and speaks to the host at once."""

    supported_commands = set(ANNOUNCED)  # noqa: RUF012 - as the base class declares it; never changed

    def __init__(self, air: Air) -> None:
        address = air.allocate_address()
        super().__init__(str(address), link=air, public_address=address)
        self.air = air
        self._followup: hci.HCI_Packet | None = None
        """An event that has to come after the answer to the command at hand."""

    @property
    @abstractmethod
    def radio(self) -> RadioController:
        """This object, as the type that all the layers make it: for who meets it on the air."""

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        # Unlike the base class: now instead of in the next turn of the loop, and without a log line for each.
        self._send(bytes(packet))

    def _send(self, packet: bytes) -> None:
        if self.host is not None:
            self.host.on_packet(packet)

    def _on_command(self, packet: bytes) -> None:
        (op_code,) = struct.unpack_from("<H", packet, 1)
        if op_code not in SERVED:
            self._send_hci_command_status(hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR, op_code)
            return
        self.on_hci_command_packet(hci.HCI_Command.command_classes[op_code].from_parameters(packet[4:]))
        followup, self._followup = self._followup, None
        if followup is not None:
            self.send_hci_packet(followup)
