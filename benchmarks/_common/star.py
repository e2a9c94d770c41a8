"""A hub with as many peers as wanted, on mock radios and virtual time: what is counted is work, not waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ble_driver import VirtualDispatcher
from ble_interface import (
    IDENTITY_CHAR_UUID,
    RX_CHAR_UUID,
    SERVICE_UUID,
    TX_CHAR_UUID,
    BLEInterface,
    BLEPeerInterface,
)
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir

#: ATT MTU of the links: that of iPhones, with which a packet of 500 bytes takes three frames.
MTU = 185


class Node:
    """An owner and its interface, or a bare radio."""

    def __init__(self, air: VirtualAir, number: int, interface: bool, **settings: Any) -> None:
        self.identity = number.to_bytes(16, "big")
        self.driver = MockBLEDriver(air, mtu=MTU)
        self.received = 0
        self.interface = BLEInterface(self, f"node{number}", self.driver, **settings) if interface else None
        if self.interface is not None:
            self.interface.start(self.identity)
        else:
            self.driver.set_identity(self.identity)
            self.driver.on_data_received = self._frame
            self.driver.start(SERVICE_UUID, RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID)

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Count a packet."""
        self.received += 1

    def _frame(self, address: str, data: bytes) -> None:
        self.received += 1

    @property
    def links(self) -> int:
        """How many peers there are, or links of a bare radio."""
        return len(self.interface.peers if self.interface is not None else self.driver.connected_peers)

    def stop(self) -> None:
        """Stop it."""
        if self.interface is not None:
            self.interface.stop()
        else:
            self.driver.stop()


class Star:
    """A hub and its spokes, linked.

    Args:
        spokes: how many.
        interface: False for bare radios, without anything of the protocol.
    """

    def __init__(self, spokes: int, interface: bool = True) -> None:
        self.dispatcher = VirtualDispatcher()
        air = VirtualAir(self.dispatcher)
        self.hub = Node(air, 1, interface, max_connections=max(1, spokes))
        self.spokes = [Node(air, 2 + n, interface, max_connections=1) for n in range(spokes)]
        if interface:
            self.hub.driver.stop_advertising()
            for spoke in self.spokes:
                spoke.driver.stop_scanning()  # or some would link to each other
        else:
            for spoke in self.spokes:
                spoke.driver.start_advertising()
                self.hub.driver.connect(spoke.driver.address)
        assert self.dispatcher.run_until(lambda: self.hub.links == spokes, 300.0)
        for node in (self.hub, *self.spokes):  # nobody looks for anybody any more: only packets cost
            node.driver.stop_advertising()
            node.driver.stop_scanning()
        self.dispatcher.run_for(1.0)

    def run_until_received(self, count: int) -> None:
        """Let time pass until the spokes have received so many packets, or frames, together."""
        assert self.dispatcher.run_until(lambda: sum(spoke.received for spoke in self.spokes) >= count, 600.0, 0.1)

    def close(self) -> None:
        """Stop all."""
        for node in (self.hub, *self.spokes):
            node.stop()
        self.dispatcher.close()


@contextmanager
def a_star(spokes: int, interface: bool = True) -> Iterator[Star]:
    """A star that is stopped at the end."""
    star = Star(spokes, interface)
    try:
        yield star
    finally:
        star.close()
