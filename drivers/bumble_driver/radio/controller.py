"""One virtual LE controller: what a host sees through HCI (Core Spec Vol 4, Part E).

It is made in layers, and each file is one: ``answering``, ``linking``, ``forwarding``, ``addressing``, ``advertising``,
``scanning``, ``initiating``, and here what concerns them all. A layer uses those before it, never one after it. They
are base classes rather than parts because bumble finds the handler of a command by its name, in one object.
"""

from __future__ import annotations

from bumble import hci

from .h4 import ACL_DATA, COMMAND, ProtocolError
from .initiating import Initiating

_Error = hci.HCI_ErrorCode
_Status = hci.HCI_StatusReturnParameters


class RadioController(Initiating):
    """bumble's controller, restricted to legacy LE and made strict where a real one is.

    It belongs to ``air`` from construction until ``detach``. Set ``host`` to an object whose ``on_packet`` takes what
    the controller sends; give ``on_packet`` here what the host sends. Whoever carries the bytes says with
    ``set_congested`` when the host takes them more slowly than they come.

    ``cancel_event=False`` leaves out the LE Connection Complete event that has to follow a cancelled attempt. bumble's
    host waits for that event; Debian's 6.1 kernel has been seen to corrupt a list over it.
    """

    le_features = (
        hci.LeFeatureMask.LE_ENCRYPTION
        | hci.LeFeatureMask.CONNECTION_PARAMETERS_REQUEST_PROCEDURE
        | hci.LeFeatureMask.EXTENDED_REJECT_INDICATION
        | hci.LeFeatureMask.PERIPHERAL_INITIATED_FEATURE_EXCHANGE
        | hci.LeFeatureMask.LE_DATA_PACKET_LENGTH_EXTENSION
    )

    @property
    def radio(self) -> RadioController:
        return self

    def on_packet(self, packet: bytes) -> None:
        """Take one complete H4 packet. Raises whatever a packet that makes no sense provokes; drop its sender then."""
        if packet[0] == ACL_DATA:
            self._on_acl_data(packet)
        elif packet[0] == COMMAND:
            self._on_command(packet)
        else:
            raise ProtocolError(f"packet indicator 0x{packet[0]:02x}")

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

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Section 7.3.2: everything as after power-up. The host hears nothing of the links it had."""
        self._forget_everything()
        self._renew_advertiser()
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
