"""The mock radio: the whole contract of a driver, without a radio."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from ble_driver import (
    IDENTITY_LENGTH,
    MAX_MTU,
    AddressType,
    BaseDriver,
    BLEDevice,
    CoordinationClient,
    InvalidOptionError,
    Link,
    LinkError,
    NotOurServiceError,
    OwnIdentityError,
    PeerRefusedError,
    Role,
    Timer,
    check_mtu,
    normalise_address,
    share_adapter,
)

from .air import VirtualAir
from .airtime import ESTABLISH_EVENTS, FOR_EVER, Airtime
from .faults import Fault, Step

#: Seconds after which a write request that is not answered costs the link (Core Spec 5.4, Vol 3, Part F, 3.3.3).
ATT_TIMEOUT = 30


@dataclass(eq=False)
class MockLink(Link):
    """One end of a link.

    Attributes:
        peer: who has the far end.
        other: the far end, None once the link is cut.
        airtime: how long it takes what is sent from this end.
        fate: when the radio loses the link, if it does; at the end of the central.
        greeted: its first frame has arrived.
    """

    peer: MockBLEDriver | None = None
    other: MockLink | None = None
    airtime: Airtime | None = None
    fate: Timer | None = None
    greeted: bool = False


class MockBLEDriver(BaseDriver[MockLink]):
    """A `BLEDriverInterface` whose radio is a `VirtualAir`.

    Args:
        air: what it shares with the nodes that it can reach.
        address: its address; by default one that nobody on this air has.
        address_type: whether that address is public or random.
        dials_as: the address that peers see when it dials; by default the same. Phones have one for each purpose.
        mtu: the largest ATT MTU it agrees to, in bytes.
        slots: how many links its controller can have at once; None for any number.
        position: where it is, in metres.
        tx_power: how strongly it sends, in dBm. Who sends with less than another may hear it and not be heard.
        throughput: the most bytes per second on each of its links, each way; a link has the lesser of its ends.
        manufacturer_data: the manufacturer-specific records that it advertises: company and what follows it.
        connect_timeout: seconds after which an attempt to connect is given up.
        coordination: the service by which programs share the adapter (`ble_coordination`): its URL, or a client for it
            that nobody else uses. The driver uses the adapter only while it holds its lock.
        coordination_mode: what to do while that service is away: ``required`` leaves the adapter alone, ``advisory``
            uses it and says so by ``on_error``.
        coordination_device: what the service calls the adapter; by default its address.

    Raises:
        InvalidAddressError, InvalidMTUError, InvalidOptionError: an option has a value that it cannot take.
    """

    # Not to save memory: beyond 30 attributes Python (3.11) keeps those of an object in a dictionary of its own, and in
    # a mesh of a thousand nodes every look into one is a cache miss.
    __slots__ = (
        "_address_type",
        "_advertisements",
        "_dials_as",
        "_manufacturer_data",
        "_slots",
        "_stalled_until",
        "address",
        "air",
        "mtu",
        "next_advertisement",
        "number",
        "position",
        "throughput",
        "tx_power",
    )

    def __init__(
        self,
        air: VirtualAir,
        *,
        address: str | None = None,
        address_type: AddressType = AddressType.PUBLIC,
        dials_as: str | None = None,
        mtu: int = MAX_MTU,
        slots: int | None = None,
        manufacturer_data: tuple[tuple[int, bytes], ...] = (),
        position: tuple[float, float] = (0.0, 0.0),
        tx_power: float = 0.0,
        throughput: float = math.inf,
        connect_timeout: float = 10.0,
        coordination: str | CoordinationClient | None = None,
        coordination_mode: str = "required",
        coordination_device: str = "",
    ) -> None:
        self.air = air
        self.number = air.next_number()
        self.position = position
        self.tx_power = tx_power
        if not throughput > 0:
            raise InvalidOptionError(f"throughput must be a number of bytes per second above 0, not {throughput!r}")
        self.throughput = throughput
        self.next_advertisement: Timer | None = None
        self.address = normalise_address(address) if address is not None else air.next_address()
        super().__init__(
            dispatcher=air.dispatcher,
            connect_timeout=connect_timeout,
            adapter_lock=share_adapter(coordination, coordination_mode, coordination_device, self.address),
        )
        self.mtu = check_mtu(mtu)
        self._address_type = address_type
        self._dials_as = normalise_address(dials_as) if dials_as is not None else None
        self._slots = slots
        self._manufacturer_data = manufacturer_data
        self._stalled_until = 0.0
        self._advertisements: dict[int, BLEDevice] = {}  # by signal strength

    @property
    def local_address(self) -> str:
        return self.address

    @property
    def local_address_type(self) -> AddressType:
        return self._address_type

    # --- seen from the air --------------------------------------------------------------------------------------------

    @property
    def is_advertising(self) -> bool:
        """Whether others hear this radio."""
        return self._advertising

    @property
    def is_listening(self) -> bool:
        """Whether this radio hears others."""
        return self._scanning

    def hear(self, sender: MockBLEDriver, rssi: int) -> None:
        """One advertisement of `sender` arrives."""
        if sender._uuids is not None and self._uuids is not None and sender._uuids.service == self._uuids.service:
            self._report_device(sender._advertisement(rssi))

    def _advertisement(self, rssi: int) -> BLEDevice:
        """Return what others hear of this node: made once, because each of them hears it over and over."""
        device = self._advertisements.get(rssi)
        if device is None:
            device = self._advertisements[rssi] = BLEDevice(
                self.address, self._device_name, rssi, self._address_type, self._manufacturer_data
            )
        return device

    def rotate(self) -> None:
        """Advertise, and dial, with an address that nobody had before; links that are up keep theirs."""
        address = self.air.next_address()
        self.air.readdress(self, address)
        self.address, self._dials_as = address, None
        self._advertise_anew()

    def _advertise_anew(self) -> None:
        self._advertisements.clear()
        self.air.sender_changed(self)

    def stall(self, seconds: float) -> None:
        """Let nothing that this node sends get through for a while."""
        self._stalled_until = self.air.dispatcher.time() + seconds

    def tell_identity(self) -> bytes | None:
        """Return what a central reads as our identity; None if it is refused."""
        return self._identity

    @property
    def has_free_slot(self) -> bool:
        """Whether the controller can have another link."""
        return self._slots is None or len(self._links) < self._slots

    def move(self, position: tuple[float, float]) -> None:
        """Be at another place, in metres. Links that do not reach so far end after the supervision timeout."""
        self.air.move(self, position)
        for link in self._links.values():
            self.air.dispatcher.call_later(self.air.timing.supervision_timeout, self._lose_if_far, link)

    def vanish(self) -> None:
        """Be gone without a word, as when the battery is taken out: peers notice after the supervision timeout."""
        self.air.leave(self)
        for link in list(self._links.values()):
            if link.other is not None and link.peer is not None:
                self.air.dispatcher.call_later(self.air.timing.supervision_timeout, link.peer._cut, link.other)

    # --- the radio ----------------------------------------------------------------------------------------------------

    async def _open_radio(self) -> None:
        self.air.enter(self)

    async def _close_radio(self) -> None:
        self.air.leave(self)

    def _finish_stop(self) -> None:
        super()._finish_stop()
        self.air.release()

    def _report_link_lost(self, link: MockLink) -> None:
        other, peer, link.other = link.other, link.peer, None
        if link.fate is not None:
            link.fate.cancel()
        super()._report_link_lost(link)
        # The far end learns of it in a turn of its own: on a real radio it is another machine.
        if other is not None and peer is not None:
            delay = 0.0 if self._reaches(peer) else self.air.timing.supervision_timeout
            self.air.dispatcher.call_later(delay, peer._cut, other)

    def _cut(self, link: MockLink) -> None:
        link.other = None
        self._report_link_lost(link)

    def _lose(self, link: MockLink) -> None:
        """Nothing has come through for the supervision timeout: both ends notice."""
        if link.other is not None and link.peer is not None:
            link.peer._cut(link.other)
            self._cut(link)

    def _lose_if_far(self, link: MockLink) -> None:
        if link.peer is not None and not self._reaches(link.peer):
            self._lose(link)

    def _reaches(self, peer: MockBLEDriver) -> bool:
        """Whether each of the two hears the other, as a link needs."""
        return self.air.in_range(self, peer) and self.air.in_range(peer, self)

    async def _set_scanning(self, on: bool) -> None:
        if on:
            self.air.receiver_forgot(self)

    async def _set_advertising(self, on: bool) -> None:
        if self.next_advertisement is not None:
            self.next_advertisement.cancel()
        self._advertise_anew()  # there may be another name
        if on:
            self.next_advertisement = self.air.dispatcher.call_later(0.0, self.air.advertise, self)

    async def _open_link(self, address: str) -> MockLink:
        if not self.has_free_slot:
            raise LinkError("the controller has no place for another link")
        peer = await self.air.wait_for_advertiser(self, address)
        await self._connect(peer, address)
        await self._pass(Step.MTU, address)
        mtu = min(self.mtu, peer.mtu)
        await self._pass(Step.DISCOVERY, address)
        if peer._uuids != self._uuids:
            raise NotOurServiceError(f"{address} does not have our service")
        await self._pass(Step.IDENTITY, address)
        identity = peer.tell_identity()
        if identity is None or len(identity) != IDENTITY_LENGTH:
            raise NotOurServiceError(f"{address} does not tell an identity of {IDENTITY_LENGTH} bytes")
        if identity == self._identity:
            raise OwnIdentityError(f"{address} has our own identity")
        await self._pass(Step.SUBSCRIBE, address)
        return await self._subscribe(MockLink(address, Role.CENTRAL, mtu, identity, peer=peer), peer)

    async def _connect(self, peer: MockBLEDriver, address: str) -> None:
        await asyncio.sleep(self.air.connect_delay)
        await self._pass(Step.CONNECT, address)
        if peer._uuids is None or self._uuids is None or not self.air.in_range(peer, self):
            raise PeerRefusedError(f"{address} was gone before the link was set up")
        if not self.air.in_range(self, peer) or self.air.is_lost():
            # It hears nothing of the request, so it never answers; the controller's error is 0x3E.
            await asyncio.sleep(ESTABLISH_EVENTS * self.air.timing.connection_interval)
            raise LinkError(f"the link to {address} could not be established")
        if not peer.has_free_slot:
            raise PeerRefusedError(f"{address} has no place for another link")

    async def _subscribe(self, link: MockLink, peer: MockBLEDriver) -> MockLink:
        """Tell the peer of the link: that is what it learns from."""
        theirs = MockLink(self._dials_as or self.address, Role.PERIPHERAL, link.mtu, peer=self, other=link)
        link.other = theirs
        throughput = min(self.throughput, peer.throughput)
        link.airtime, theirs.airtime = self.air.airtime(throughput), self.air.airtime(throughput)
        if not peer._report_link(theirs):
            raise PeerRefusedError(f"{link.address} does not take another link to us")
        try:
            await self._pass(Step.SUBSCRIBED, link.address)
        except BaseException:
            peer._cut(theirs)
            raise
        if link.other is None:
            raise PeerRefusedError(f"{link.address} ended the link while it was set up")
        if (lifetime := self.air.timing.lifetime(self.air.random)) < FOR_EVER:
            link.fate = self.air.dispatcher.call_later(lifetime, self._lose, link)
        return link

    async def _pass(self, step: Step, address: str, link: MockLink | None = None) -> None:
        """Come past a step of setting up a link, if no fault strikes; `link` is what may end a hang."""
        match self.air.faults.draw(step, address):
            case Fault.REFUSE:
                raise PeerRefusedError(f"{address} refuses at the step {step.value}")
            case Fault.DROP:
                raise LinkError(f"the link to {address} broke at the step {step.value}")
            case Fault.HANG:
                await self._hang(link)

    async def _hang(self, link: MockLink | None) -> None:
        if link is None:
            await asyncio.Event().wait()  # the attempt has a timeout of its own
        for _ in range(ATT_TIMEOUT):
            if link is None or link.other is None:
                return
            await asyncio.sleep(1.0)
        raise LinkError(f"no answer within {ATT_TIMEOUT} s")

    async def _close_link(self, link: MockLink) -> None:
        """Nothing to wait for: `_report_link_lost` tells the far end."""

    async def _transmit(self, link: MockLink, frame: bytes, acknowledged: bool) -> None:
        now = self.air.dispatcher.time()
        assert link.airtime is not None
        await asyncio.sleep(max(link.airtime.take(len(frame), acknowledged, now), self._stalled_until - now))
        if acknowledged:
            await self._pass(Step.WRITE if link.greeted else Step.HANDSHAKE, link.address, link)
        if link.peer is None or link.other is None:
            raise LinkError(f"the link to {link.address} is gone")
        if self.air.in_range(self, link.peer):
            link.peer._report_frame(link.other, frame)
        if acknowledged and not link.greeted:
            link.greeted = True
            await self._pass(Step.ACKNOWLEDGE, link.address, link)
