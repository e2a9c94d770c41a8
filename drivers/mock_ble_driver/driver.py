"""The mock radio: the whole contract of a driver, without a radio."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ble_driver import (
    IDENTITY_LENGTH,
    MAX_MTU,
    AddressType,
    BaseDriver,
    BLEDevice,
    CoordinationClient,
    Link,
    LinkError,
    NotOurServiceError,
    OwnIdentityError,
    PeerRefusedError,
    Role,
    check_mtu,
    normalise_address,
    share_adapter,
)

from .air import VirtualAir
from .faults import Fault, Step


@dataclass(eq=False)
class MockLink(Link):
    """One end of a link; `other` is the far end, None once the link is cut."""

    peer: MockBLEDriver | None = None
    other: MockLink | None = None


class MockBLEDriver(BaseDriver[MockLink]):
    """A `BLEDriverInterface` whose radio is a `VirtualAir`.

    Args:
        air: what it shares with the nodes that it can reach.
        address: its address; by default one that nobody on this air has.
        address_type: whether that address is public or random.
        dials_as: the address that peers see when it dials; by default the same. Phones have one for each purpose.
        mtu: the largest ATT MTU it agrees to, in bytes.
        slots: how many links its controller can have at once; None for any number.
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
        connect_timeout: float = 10.0,
        coordination: str | CoordinationClient | None = None,
        coordination_mode: str = "required",
        coordination_device: str = "",
    ) -> None:
        self.air = air
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
            name, records = sender._device_name, sender._manufacturer_data
            self._report_device(BLEDevice(sender.address, name, rssi, sender._address_type, records))

    def rotate(self) -> None:
        """Advertise, and dial, with an address that nobody had before; links that are up keep theirs."""
        address = self.air.next_address()
        self.air.readdress(self, address)
        self.address, self._dials_as = address, None

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

    def vanish(self) -> None:
        """Be gone without a word, as when the battery is taken out: peers notice after the supervision timeout."""
        self.air.leave(self)
        for link in list(self._links.values()):
            if link.other is not None and link.peer is not None:
                self.air.dispatcher.call_later(self.air.supervision_timeout, link.peer._cut, link.other)

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
        super()._report_link_lost(link)
        # The far end learns of it in a turn of its own: on a real radio it is another machine.
        if other is not None and peer is not None and self.air.in_range(self, peer):
            self.air.dispatcher.call_soon(peer._cut, other)

    def _cut(self, link: MockLink) -> None:
        link.other = None
        self._report_link_lost(link)

    async def _set_scanning(self, on: bool) -> None:
        """Nothing to switch: the air looks at `is_listening`."""

    async def _set_advertising(self, on: bool) -> None:
        if on:
            self.air.dispatcher.call_soon(self.air.advertise, self)

    async def _open_link(self, address: str) -> MockLink:
        if not self.has_free_slot:
            raise LinkError("the controller has no place for another link")
        peer = await self.air.wait_for_advertiser(self, address)
        await asyncio.sleep(self.air.connect_delay)
        await self._pass(Step.CONNECT, address)
        if peer._uuids is None or self._uuids is None or not self.air.in_range(peer, self):
            raise PeerRefusedError(f"{address} was gone before the link was set up")
        if not peer.has_free_slot:
            raise PeerRefusedError(f"{address} has no place for another link")
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
        return await self._subscribe(address, peer, mtu, identity)

    async def _subscribe(self, address: str, peer: MockBLEDriver, mtu: int, identity: bytes) -> MockLink:
        """Tell the peer of the link: that is what it learns from."""
        mine = MockLink(address, Role.CENTRAL, mtu, identity, peer=peer)
        theirs = MockLink(self._dials_as or self.address, Role.PERIPHERAL, mtu, peer=self, other=mine)
        mine.other = theirs
        if not peer._report_link(theirs):
            raise PeerRefusedError(f"{address} does not take another link to us")
        try:
            await self._pass(Step.SUBSCRIBE, address)
        except BaseException:
            peer._cut(theirs)
            raise
        if mine.other is None:
            raise PeerRefusedError(f"{address} ended the link while it was set up")
        return mine

    async def _pass(self, step: Step, address: str, link: MockLink | None = None) -> None:
        """Come past a step of setting up a link, if no fault strikes; `link` is what may end a hang."""
        match self.air.faults.draw(step, address):
            case Fault.REFUSE:
                raise PeerRefusedError(f"{address} refuses at the step {step.value}")
            case Fault.DROP:
                raise LinkError(f"the link to {address} broke at the step {step.value}")
            case Fault.HANG:
                while link is None or link.other is not None:  # noqa: ASYNC110 - nobody would set an event
                    await asyncio.sleep(1.0)

    async def _close_link(self, link: MockLink) -> None:
        """Nothing to wait for: `_report_link_lost` tells the far end."""

    async def _transmit(self, link: MockLink, frame: bytes, acknowledged: bool) -> None:
        await asyncio.sleep(max(self.air.frame_time, self._stalled_until - self.air.dispatcher.time()))
        if acknowledged:
            await self._pass(Step.HANDSHAKE, link.address, link)
        if link.peer is None or link.other is None:
            raise LinkError(f"the link to {link.address} is gone")
        if self.air.in_range(self, link.peer):
            link.peer._report_frame(link.other, frame)
