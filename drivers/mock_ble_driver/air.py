"""The air between mock radios: who hears whom, how long things take, and what is lost when a node vanishes."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from ble_driver import AsyncDispatcher, Dispatcher, InvalidOptionError

from .airtime import Airtime, Timing
from .faults import Faults
from .neighbourhood import Audience, Neighbourhood
from .propagation import Propagation

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
        duplicate_filter: seconds for which a radio does not report again what it hears unchanged, as most do; 0 reports
            every advertisement.
        connect_delay: seconds from hearing an advertisement to a link that is set up.
        frame_time: seconds that one frame takes, however short.
        connection_interval: seconds between the moments at which a link carries anything; 0 for whenever there is
            something.
        supervision_timeout: seconds after which a node notices that its peer has vanished.
        loss: how likely one transmission is lost, from 0 to below 1: an advertisement is not heard then, and what goes
            over a link is repeated at its next connection event.
        propagation: how far a signal carries.

    Attributes:
        faults: what goes wrong; nothing unless told.
        advertisement_copies: how often each advertisement is heard, as on radios that do not filter duplicates.

    Raises:
        InvalidOptionError: the loss is out of range, or there is one and no connection interval.
    """

    def __init__(
        self,
        dispatcher: Dispatcher | None = None,
        *,
        seed: int = 0,
        advertising_interval: float = 0.1,
        duplicate_filter: float = 0.0,
        connect_delay: float = 0.05,
        frame_time: float = 0.002,
        connection_interval: float = 0.0,
        supervision_timeout: float = 0.5,
        loss: float = 0.0,
        propagation: Propagation | None = None,
    ) -> None:
        if not 0.0 <= loss < 1.0:
            raise InvalidOptionError(f"loss must be a number from 0 to below 1, not {loss!r}")
        if loss and not connection_interval:
            raise InvalidOptionError("loss needs a connection_interval: at the next one a lost packet is repeated")
        self.dispatcher = dispatcher or AsyncDispatcher("virtual-air")
        self._owns_dispatcher = dispatcher is None
        self.random = random.Random(seed)
        self.advertising_interval = advertising_interval
        self.duplicate_filter = duplicate_filter
        self.connect_delay = connect_delay
        self.timing = Timing(frame_time, connection_interval, supervision_timeout, loss)
        self.faults = Faults(self.random)
        self.advertisement_copies = 1
        self._numbers = 0
        self._addresses = 0
        self._present: dict[str, MockBLEDriver] = {}
        self._neighbourhood: Neighbourhood[MockBLEDriver] = Neighbourhood(propagation or Propagation(), seed)
        self._initiators: dict[str, list[tuple[MockBLEDriver, asyncio.Future[MockBLEDriver]]]] = {}

    # --- who is there -------------------------------------------------------------------------------------------------

    def next_number(self) -> int:
        """Return the number of the next node on this air."""
        self._numbers += 1
        return self._numbers

    def next_address(self) -> str:
        """Return an address that no node on this air has had yet."""
        self._addresses += 1
        return (
            f"00:B1:E0:{self._addresses >> 16 & 255:02X}:{self._addresses >> 8 & 255:02X}:{self._addresses & 255:02X}"
        )

    def is_present(self, node: MockBLEDriver) -> bool:
        """Whether this radio is switched on."""
        return self._present.get(node.address) is node

    def in_range(self, sender: MockBLEDriver, receiver: MockBLEDriver) -> bool:
        """Whether `receiver` hears `sender` now."""
        return (
            self.is_present(sender)
            and self.is_present(receiver)
            and (receiver is sender or receiver in self._neighbourhood.audience(sender).hearings)
        )

    def enter(self, node: MockBLEDriver) -> None:
        """A radio was switched on.

        Raises:
            ValueError: another one has its address.
        """
        if self._present.get(node.address, node) is not node:
            raise ValueError(f"there is a radio with the address {node.address} on this air already")
        self._present[node.address] = node
        self._neighbourhood.enter(node)

    def readdress(self, node: MockBLEDriver, address: str) -> None:
        """A radio goes on under another address."""
        if self.is_present(node):
            del self._present[node.address]
            self._present[address] = node

    def sender_changed(self, node: MockBLEDriver) -> None:
        """A radio advertises something else from now on."""
        self._neighbourhood.sender_changed(node)

    def receiver_forgot(self, node: MockBLEDriver) -> None:
        """A radio begins to scan."""
        self._neighbourhood.receiver_forgot(node)

    def move(self, node: MockBLEDriver, position: tuple[float, float]) -> None:
        """A radio is at another place from now on. Links that do not reach so far end."""
        present = self.is_present(node)
        if present:
            self._neighbourhood.leave(node)
        node.position = position
        if present:
            self._neighbourhood.enter(node)

    def leave(self, node: MockBLEDriver) -> None:
        """A radio was switched off, or has vanished; nobody hears it any more."""
        if self.is_present(node):
            del self._present[node.address]
            self._neighbourhood.leave(node)

    def release(self) -> None:
        """A driver stopped. With the last one the thread of this air ends, if it is its own."""
        if self._owns_dispatcher and not self._present:
            self.dispatcher.close()

    # --- advertisements -----------------------------------------------------------------------------------------------

    def advertise(self, node: MockBLEDriver) -> None:
        """One advertisement of `node`, and the next one when its interval is over."""
        if not node.is_advertising or not self.is_present(node):
            return
        delay = self.advertising_interval + self.random.uniform(0, ADV_DELAY_MAX)
        node.next_advertisement = self.dispatcher.call_later(delay, self.advertise, node)
        audience = self._neighbourhood.audience(node)
        for initiator, found in self._initiators.get(node.address, ()):
            if initiator in audience.hearings and not found.done() and not self.is_lost():
                found.set_result(node)
        if self.dispatcher.time() >= audience.quiet_until:
            self._report(node, audience)

    def _report(self, node: MockBLEDriver, audience: Audience[MockBLEDriver]) -> None:
        """Let those hear an advertisement who have not heard it just now."""
        now = self.dispatcher.time()
        for receiver, hearing in audience.told_before(now - self.duplicate_filter):
            if receiver.is_listening and not self.is_lost():
                audience.tell(receiver, now)
                for _ in range(self.advertisement_copies):
                    receiver.hear(node, hearing.rssi)
        audience.stay_quiet(self.duplicate_filter)

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

    # --- links --------------------------------------------------------------------------------------------------------

    def is_lost(self) -> bool:
        """Draw whether one transmission is lost."""
        return self.timing.loss > 0.0 and self.random.random() < self.timing.loss

    def airtime(self, throughput: float) -> Airtime:
        """Return the time that passes on one direction of a new link, which carries so many bytes per second."""
        return Airtime(self.timing, throughput, self.random, self.dispatcher.time())
