"""One end of a connection. The two ends know each other, so data crosses the air without a search."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bumble import hci, ll
from bumble.controller import Connection

if TYPE_CHECKING:
    from .controller import RadioController

TIMEOUT_UNIT = 0.010
"""Seconds per unit of a supervision timeout (Core Spec Vol 4, Part E, section 7.8.12)."""

_INTERVAL_UNIT = 0.001_25


@dataclass(frozen=True)
class LinkParameters:
    """Connection interval (1.25 ms), peripheral latency (events) and supervision timeout (10 ms), in HCI's units."""

    interval: int
    latency: int
    timeout: int

    @classmethod
    def from_request(
        cls, command: hci.HCI_LE_Create_Connection_Command | hci.HCI_LE_Connection_Update_Command
    ) -> LinkParameters | None:
        """What this controller makes of a host's wish, or None if the specification forbids it (7.8.12, 7.8.18).

        Of the intervals that the host allows, the longest is used, as controllers do that save power.
        """
        low, high = command.connection_interval_min, command.connection_interval_max
        latency, timeout = command.max_latency, command.supervision_timeout
        in_range = 0x0006 <= low <= high <= 0x0C80 and latency <= 0x01F3 and 0x000A <= timeout <= 0x0C80
        if not in_range or timeout * TIMEOUT_UNIT <= (1 + latency) * high * _INTERVAL_UNIT * 2:
            return None
        return cls(high, latency, timeout)


@dataclass(eq=False)
class RadioConnection(Connection):
    """One end of a link: bumble's connection, and what a fair radio has to know about it."""

    radio: RadioController = field(kw_only=True, repr=False)
    """The controller again, as the type it really is."""
    parameters: LinkParameters = field(kw_only=True)
    peer: RadioConnection | None = field(default=None, repr=False)
    """The other end, or None once it is out of reach: then data goes nowhere and the supervision timer decides."""
    uncompleted: int = 0
    """Packets of our host that were taken, but whose buffers were not given back to it yet."""
    on_air: int = 0
    """How many of those have not arrived yet."""
    supervision: asyncio.TimerHandle | None = field(default=None, repr=False)

    def send_ll_control_pdu(self, packet: ll.ControlPdu) -> None:
        """Deliver at once: with no delay between the ends there is no moment at which they disagree."""
        if self.peer is not None:
            self.peer.radio.on_ll_control_pdu(self.peer.peer_address, packet)
