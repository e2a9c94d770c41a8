"""What was carried and what was dropped, for one peer or for many together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Traffic:
    """Packets and their bytes each way, and drops by reason.

    Attributes:
        rx_bytes, rx_packets: received whole.
        tx_bytes, tx_packets: handed to the radio.
        dropped: frames and packets that were dropped, by reason.
    """

    rx_bytes: int = 0
    rx_packets: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def add(self, other: Traffic) -> None:
        """Add what another has counted."""
        self.rx_bytes += other.rx_bytes
        self.rx_packets += other.rx_packets
        self.tx_bytes += other.tx_bytes
        self.tx_packets += other.tx_packets
        self.dropped.update(dict(other.dropped))  # a copy: another thread may be counting
