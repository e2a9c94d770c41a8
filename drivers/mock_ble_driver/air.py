"""The air between mock radios: who hears whom, how long things take, and what is lost when a node vanishes."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from ble_driver import AsyncDispatcher, Dispatcher

from .faults import Faults

if TYPE_CHECKING:
    from .driver import MockBLEDriver

#: Seconds added to each advertising interval at random, so that two advertisers do not stay in step
#: (Core Spec 5.4, Vol 6, Part B, 4.4.2.2.1).
ADV_DELAY_MAX = 0.010


class VirtualAir:
    """What a set of `MockBLEDriver` radios have in common. All of them run on its one dispatcher.

    Args:
        dispatcher: a `VirtualDispatcher` for virtual time; by default a thread, which runs while a radio is started.
        seed: of everything that happens by chance. Same seed, same run.
        advertising_interval: seconds between two advertisements of one node.
        connect_delay: seconds from hearing an advertisement to a link that is set up.
        frame_time: seconds that one frame takes.
        supervision_timeout: seconds after which a node notices that its peer has vanished.

    Attributes:
        faults: what goes wrong; nothing unless told.
        advertisement_copies: how often each advertisement is heard, as on radios that do not filter duplicates.
    """

    def __init__(
        self,
        dispatcher: Dispatcher | None = None,
        *,
        seed: int = 0,
        advertising_interval: float = 0.1,
        connect_delay: float = 0.05,
        frame_time: float = 0.002,
        supervision_timeout: float = 0.5,
    ) -> None:
        self.dispatcher = dispatcher or AsyncDispatcher("virtual-air")
        self._owns_dispatcher = dispatcher is None
        self.random = random.Random(seed)
        self.advertising_interval = advertising_interval
        self.connect_delay = connect_delay
        self.frame_time = frame_time
        self.supervision_timeout = supervision_timeout
        self.faults = Faults(self.random)
        self.advertisement_copies = 1
        self._addresses = 0
        self._present: dict[str, MockBLEDriver] = {}
        self._initiators: dict[str, list[tuple[MockBLEDriver, asyncio.Future[MockBLEDriver]]]] = {}

    def next_address(self) -> str:
        """Return an address that no node on this air has had yet."""
        self._addresses += 1
        return (
            f"00:B1:E0:{self._addresses >> 16 & 255:02X}:{self._addresses >> 8 & 255:02X}:{self._addresses & 255:02X}"
        )

    def in_range(self, sender: MockBLEDriver, receiver: MockBLEDriver) -> bool:
        """Whether `receiver` hears `sender` now."""
        return self._present.get(sender.address) is sender and self._present.get(receiver.address) is receiver

    def enter(self, node: MockBLEDriver) -> None:
        """A radio was switched on."""
        if self._present.setdefault(node.address, node) is not node:
            raise ValueError(f"there is a radio with the address {node.address} on this air already")

    def readdress(self, node: MockBLEDriver, address: str) -> None:
        """A radio goes on under another address."""
        if self._present.get(node.address) is node:
            del self._present[node.address]
            self._present[address] = node

    def leave(self, node: MockBLEDriver) -> None:
        """A radio was switched off, or has vanished; nobody hears it any more."""
        if self._present.get(node.address) is node:
            del self._present[node.address]

    def release(self) -> None:
        """A driver stopped. With the last one the thread of this air ends, if it is its own."""
        if self._owns_dispatcher and not self._present:
            self.dispatcher.close()

    def advertise(self, node: MockBLEDriver) -> None:
        """One advertisement of `node`, and the next one when its interval is over."""
        if not node.is_advertising or self._present.get(node.address) is not node:
            return
        delay = self.advertising_interval + self.random.uniform(0, ADV_DELAY_MAX)
        self.dispatcher.call_later(delay, self.advertise, node)
        for initiator, found in self._initiators.pop(node.address, ()):
            if not found.done() and self.in_range(node, initiator):
                found.set_result(node)
        for receiver in list(self._present.values()):
            if receiver is not node and receiver.is_listening and self.in_range(node, receiver):
                for _ in range(self.advertisement_copies):
                    receiver.hear(node, self.rssi(node, receiver))

    def rssi(self, sender: MockBLEDriver, receiver: MockBLEDriver) -> int:
        """Return the signal strength, in dBm, at which `receiver` hears `sender`."""
        return -60

    async def wait_for_advertiser(self, initiator: MockBLEDriver, address: str) -> MockBLEDriver:
        """Return the node at `address` as soon as it advertises: so a link layer initiates."""
        found: asyncio.Future[MockBLEDriver] = asyncio.get_running_loop().create_future()
        self._initiators.setdefault(address, []).append((initiator, found))
        try:
            return await found
        finally:
            waiting = self._initiators.get(address, [])
            waiting[:] = [entry for entry in waiting if entry[1] is not found]
            if not waiting:
                self._initiators.pop(address, None)
