"""The mock radio: the whole contract of a driver, without a radio."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ble_driver import (
    MAX_MTU,
    AddressType,
    BaseDriver,
    BLEDevice,
    Link,
    LinkError,
    NotOurServiceError,
    OwnIdentityError,
    PeerRefusedError,
    Role,
    check_mtu,
    normalise_address,
)

from .air import VirtualAir


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
        mtu: the largest ATT MTU it agrees to, in bytes.
        connect_timeout: seconds after which an attempt to connect is given up.

    Raises:
        InvalidAddressError, InvalidMTUError, InvalidOptionError: an option has a value that it cannot take.
    """

    def __init__(
        self,
        air: VirtualAir,
        *,
        address: str | None = None,
        address_type: AddressType = AddressType.PUBLIC,
        mtu: int = MAX_MTU,
        connect_timeout: float = 10.0,
    ) -> None:
        super().__init__(dispatcher=air.dispatcher, connect_timeout=connect_timeout)
        self.air = air
        self.address = normalise_address(address) if address is not None else air.next_address()
        self.mtu = check_mtu(mtu)
        self._address_type = address_type

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
            self._report_device(BLEDevice(sender.address, sender._device_name, rssi, sender._address_type))

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
        peer = await self.air.wait_for_advertiser(self, address)
        await asyncio.sleep(self.air.connect_delay)
        if peer._uuids is None or self._uuids is None or not self.air.in_range(peer, self):
            raise PeerRefusedError(f"{address} was gone before the link was set up")
        if peer._uuids != self._uuids:
            raise NotOurServiceError(f"{address} does not have our service")
        if peer._identity is None:
            raise NotOurServiceError(f"{address} refuses to tell its identity")
        if peer._identity == self._identity:
            raise OwnIdentityError(f"{address} has our own identity")
        mtu = min(self.mtu, peer.mtu)
        mine = MockLink(address, Role.CENTRAL, mtu, peer._identity, peer=peer)
        theirs = MockLink(self.address, Role.PERIPHERAL, mtu, peer=self, other=mine)
        mine.other = theirs
        if not peer._report_link(theirs):
            raise PeerRefusedError(f"{address} does not take another link to us")
        return mine

    async def _close_link(self, link: MockLink) -> None:
        """Nothing to wait for: `_report_link_lost` tells the far end."""

    async def _transmit(self, link: MockLink, frame: bytes, acknowledged: bool) -> None:
        await asyncio.sleep(self.air.frame_time)
        if link.peer is None or link.other is None:
            raise LinkError(f"the link to {link.address} is gone")
        if self.air.in_range(self, link.peer):
            link.peer._report_frame(link.other, frame)
