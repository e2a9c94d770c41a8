"""The driver: the contract over bumble's host and a controller of the radio daemon."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from bumble import hci
from bumble.core import BaseBumbleError
from bumble.device import Advertisement, Connection, Device
from bumble.transport.common import Transport
from bumble.transport.tcp_client import open_tcp_client_transport

from ble_driver import (
    MAX_MTU,
    AddressType,
    BaseDriver,
    BLEDevice,
    CoordinationClient,
    InvalidOptionError,
    LinkError,
    NoAnswerError,
    RadioError,
    Role,
    ScanPasses,
    check_mtu,
    normalise_address,
    share_adapter,
    within,
)

from .central import ABANDON_TIMEOUT, Initiator, set_up
from .connection import BumbleLink, disconnect, link_errors, lives, part, room_to_send, unless_lost
from .peripheral import (
    UNHEARD_TIMEOUT,
    GattService,
    advertised_name,
    advertises,
    advertising_data,
    manufacturer_data,
)

logger = logging.getLogger(__name__)

#: Where the radio daemon listens unless told otherwise.
DEFAULT_RADIO = "127.0.0.1:7700"
#: Milliseconds between two advertisements, and of the scan interval, which the scan fills.
ADVERTISING_INTERVAL, SCAN_INTERVAL = 100.0, 60.0
#: Seconds that the controller gets to answer while it is set up or left.
POWER_TIMEOUT, LEAVE_TIMEOUT = 5.0, 1.0
#: How many addresses are remembered with their type; a peer is dialled soon after it was heard.
MAX_REMEMBERED = 1000


class BumbleDriver(BaseDriver[BumbleLink]):
    """A `BLEDriverInterface` in user space, on a radio daemon.

    Args:
        radio: host and port of the daemon, as it prints them.
        address: its random static address (both top bits set); by default one made up for this driver.
        mtu: the largest ATT MTU it agrees to, in bytes.
        connect_timeout: seconds after which an attempt to connect is given up.
        coordination: the service by which programs share the adapter (`ble_coordination`): its URL, or a client for it
            that nobody else uses. The driver uses the adapter only while it holds its lock.
        coordination_mode: what to do while that service is away: ``required`` leaves the adapter alone, ``advisory``
            uses it and says so by ``on_error``.
        coordination_device: what the service calls the adapter; by default the address of the radio daemon.

    Raises:
        InvalidAddressError, InvalidMTUError, InvalidOptionError: an option has a value that it cannot take.
    """

    def __init__(
        self,
        *,
        radio: str = DEFAULT_RADIO,
        address: str | None = None,
        mtu: int = MAX_MTU,
        connect_timeout: float = 10.0,
        coordination: str | CoordinationClient | None = None,
        coordination_mode: str = "required",
        coordination_device: str = "",
    ) -> None:
        self._radio = _check_radio(radio)
        # A name has no brackets, as the address of a daemon at [::1] does.
        name = self._radio.replace("[", "").replace("]", "").lstrip(":")
        super().__init__(
            connect_timeout=connect_timeout,
            adapter_lock=share_adapter(coordination, coordination_mode, coordination_device, name),
        )
        self._address = _check_static(address) or hci.Address.generate_static_address()
        self._mtu = check_mtu(mtu)
        self._transport: Transport | None = None
        self._device: Device | None = None
        self._initiator: Initiator | None = None
        self._service: GattService | None = None
        self._inbound: dict[Connection, BumbleLink] = {}
        self._address_types: OrderedDict[str, AddressType] = OrderedDict()
        self._passes = ScanPasses(self._exclusive, self._dispatcher.spawn, self._scan, self._report_scan_failed)

    @property
    def local_address(self) -> str | None:
        return _split(self._address)[0] if self._device is not None else None

    @property
    def local_address_type(self) -> AddressType:
        return AddressType.RANDOM

    # --- the radio as a whole -----------------------------------------------------------------------------------------

    async def _open_radio(self) -> None:
        assert self._uuids is not None
        transport = self._transport = await self._attach()
        device = Device.with_hci("ble", self._address, transport.source, transport.sink)
        device.gatt_server.max_mtu = self._mtu
        self._service = GattService(self._uuids, lambda: self._identity, self._on_write, self._on_subscription)
        device.add_service(self._service.service)
        device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        device.on(Device.EVENT_CONNECTION, self._on_connection)
        await self._obeyed(device.power_on(), "be set up")
        self._initiator = Initiator(device, self._exclusive)
        self._device = device
        transport.source.terminated.add_done_callback(lambda _: self._on_radio_gone(transport))

    async def _attach(self) -> Transport:
        try:
            return await within(POWER_TIMEOUT, open_tcp_client_transport(self._radio))
        except (OSError, TimeoutError) as error:
            raise RadioError(
                f"no radio answers at {self._radio} ({error}): start one with python -m drivers.bumble_driver.radio"
            ) from error

    def _on_radio_gone(self, transport: Transport) -> None:
        if self._device is not None and self._transport is transport:
            self._dispatcher.spawn(self._radio_gone())

    async def _radio_gone(self) -> None:
        await self._close_radio()
        self._report_radio_lost(RadioError(f"the radio at {self._radio} is gone; it is looked for until it is back"))

    async def _close_radio(self) -> None:
        device, self._device = self._device, None
        transport, self._transport = self._transport, None
        self._initiator = self._service = None
        self._inbound.clear()
        try:
            await self._passes.stop()
            if device is not None and transport is not None and not transport.source.terminated.done():
                # Peers would notice only after the supervision timeout: so part from them.
                partings = [part(connection, LEAVE_TIMEOUT) for connection in device.connections.values()]
                await asyncio.gather(*partings, return_exceptions=True)
        finally:
            if transport is not None:
                await transport.close()

    async def _check_radio(self) -> None:
        command = self._require_device().send_sync_command(hci.HCI_Read_BD_ADDR_Command())
        await self._obeyed(command, "tell its address")

    async def _power_cycle(self) -> None:
        """Reset the controller, which ends everything that it does (Core Spec 5.4, Vol 4, Part E, 7.3.2)."""
        transport = await self._attach()
        try:
            host = Device.with_hci("ble", self._address, transport.source, transport.sink).host
            await self._obeyed(host.send_sync_command(hci.HCI_Reset_Command()), "be reset")
        finally:
            await transport.close()

    @property
    def _remedy(self) -> str:
        return "end the radio daemon and start it again: python -m drivers.bumble_driver.radio"

    def _require_device(self) -> Device:
        if self._device is None:
            raise RadioError(f"there is no radio at {self._radio}")
        return self._device

    async def _obeyed(self, command: Coroutine[Any, Any, object], what: str) -> None:
        """Await a command to the controller; bumble would wait for ever for the answer of one that is gone."""
        try:
            await within(POWER_TIMEOUT, command)
        except TimeoutError as error:
            raise NoAnswerError(f"the radio at {self._radio} does not answer when it is to {what}") from error
        except (BaseBumbleError, OSError) as error:
            raise RadioError(f"the radio at {self._radio} cannot {what}: {error!r}") from error

    # --- being found and finding --------------------------------------------------------------------------------------

    async def _set_scanning(self, on: bool) -> None:
        await (self._passes.start() if on else self._passes.stop())

    @asynccontextmanager
    async def _scan(self) -> AsyncIterator[None]:
        """Scan for as long as the context lasts."""
        device = self._require_device()
        # bumble looks at this from the first report on, but sets it only after the scan has begun.
        device.scanning_is_passive = True
        try:
            # Actively, because BlueZ puts a name into the scan response.
            command = device.start_scanning(
                legacy=True, active=True, scan_interval=SCAN_INTERVAL, scan_window=SCAN_INTERVAL
            )
            await self._obeyed(command, "start scanning")
            yield
        finally:
            if self._device is device:
                await self._obeyed(device.stop_scanning(legacy=True), "stop scanning")

    async def _set_advertising(self, on: bool) -> None:
        device = self._require_device()
        assert self._uuids is not None
        await self._obeyed(device.stop_advertising(), "stop advertising")
        if on:
            command = device.start_advertising(
                advertising_data=advertising_data(self._uuids.service, self._device_name),
                advertising_interval_min=ADVERTISING_INTERVAL,
                advertising_interval_max=ADVERTISING_INTERVAL,
            )
            await self._obeyed(command, "start advertising")

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        if self._uuids is None or not advertises(advertisement, self._uuids.service):
            return
        address, kind = _split(advertisement.address)
        self._address_types[address] = kind
        if len(self._address_types) > MAX_REMEMBERED:
            self._address_types.popitem(last=False)
        name, records = advertised_name(advertisement), manufacturer_data(advertisement)
        self._report_device(BLEDevice(address, name, advertisement.rssi, kind, records))

    # --- links that we open -------------------------------------------------------------------------------------------

    async def _open_link(self, address: str) -> BumbleLink:
        assert self._uuids is not None
        if self._initiator is None:
            raise LinkError(f"there is no radio at {self._radio}")
        connection = await self._initiator.connect(self._to_bumble(address))
        try:
            link = await set_up(connection, address, self._uuids, self._identity, self._mtu, self._report_frame)
        except BaseException:
            await disconnect(connection, ABANDON_TIMEOUT)
            raise
        self._watch(link)
        return link

    def _to_bumble(self, address: str) -> hci.Address:
        """Return the address with its type: as it was heard, or as its top bits suggest."""
        kind = self._address_types.get(address)
        if kind is None:
            kind = AddressType.RANDOM if int(address[:2], 16) >= 0xC0 else AddressType.PUBLIC
        public = kind is AddressType.PUBLIC
        return hci.Address(address, hci.AddressType.PUBLIC_DEVICE if public else hci.AddressType.RANDOM_DEVICE)

    def _watch(self, link: BumbleLink) -> None:
        connection = link.connection
        connection.on(connection.EVENT_DISCONNECTION, lambda _: self._report_link_lost(link))
        connection.on(
            connection.EVENT_CONNECTION_ATT_MTU_UPDATE,
            lambda: self._report_mtu(link, min(connection.att_mtu, MAX_MTU)),
        )

    # --- links that others open ---------------------------------------------------------------------------------------

    def _on_connection(self, connection: Connection) -> None:
        if connection.role != hci.Role.PERIPHERAL:
            return
        # Legacy advertising ends with each connection (Core Spec 5.4, Vol 6, Part B, 4.4.2.4).
        self._report_advertising_ended()
        timer = self._dispatcher.call_later(UNHEARD_TIMEOUT, self._end_unheard, connection)
        connection.on(connection.EVENT_DISCONNECTION, lambda _: timer.cancel())  # else it keeps what is gone alive

    def _end_unheard(self, connection: Connection) -> None:
        """End a connection by which nobody has said anything."""
        if connection not in self._inbound and self._device is not None:
            self._dispatcher.spawn(disconnect(connection, ABANDON_TIMEOUT))

    def _on_subscription(self, connection: Connection, on: bool) -> None:
        link = self._heard(connection)
        if link is not None:
            link.subscribed = on

    def _on_write(self, connection: Connection, value: bytes) -> None:
        link = self._heard(connection)
        if link is not None:
            self._report_frame(link, value)

    def _heard(self, connection: Connection) -> BumbleLink | None:
        """Return the link of a central that has subscribed or written: the first time, that makes it one.

        On a connection that we have opened it is our link: a peer that dialled us as well has found it there.
        """
        link = self._inbound.get(connection) or self._outbound(connection)
        # bumble still hands over what a connection wrote after that has ended: it must not become a link again.
        if link is None and self._device is not None and lives(connection):
            address, _ = _split(connection.peer_address)
            link = BumbleLink(address, Role.PERIPHERAL, min(connection.att_mtu, MAX_MTU), connection=connection)
            if not self._report_link(link):
                self._dispatcher.spawn(disconnect(connection, ABANDON_TIMEOUT))
                return None
            self._inbound[connection] = link
            connection.on(connection.EVENT_DISCONNECTION, lambda _: self._inbound.pop(connection, None))
            self._watch(link)
        return link

    def _outbound(self, connection: Connection) -> BumbleLink | None:
        link = self._links.get(_split(connection.peer_address)[0])
        return link if link is not None and link.connection is connection else None

    # --- frames -------------------------------------------------------------------------------------------------------

    async def _transmit(self, link: BumbleLink, frame: bytes, acknowledged: bool) -> None:
        device, connection = self._device, link.connection
        if device is None or connection.handle not in device.connections:
            raise LinkError("the connection is gone")
        with link_errors("sending"):
            await room_to_send(link)
            if link.peer_rx is not None and acknowledged:
                await unless_lost(connection, link.peer_rx.write_value(frame, with_response=True))
            elif link.peer_rx is not None:
                await link.peer_rx.write_value(frame)
            elif not link.subscribed or self._service is None:
                raise LinkError("the central has not subscribed")
            else:
                await device.notify_subscriber(connection, self._service.tx, frame)

    async def _close_link(self, link: BumbleLink) -> None:
        await part(link.connection, LEAVE_TIMEOUT)


def _split(address: hci.Address) -> tuple[str, AddressType]:
    """Return an address of bumble as text and type."""
    return str(address).partition("/")[0], AddressType.PUBLIC if address.is_public else AddressType.RANDOM


def _check_radio(radio: Any) -> str:
    host, _, port = radio.rpartition(":") if isinstance(radio, str) else ("", "", "")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise InvalidOptionError(f"radio must be host:port of a radio daemon, such as {DEFAULT_RADIO}, not {radio!r}")
    return f"{host}:{port}"


def _check_static(address: str | None) -> hci.Address | None:
    if address is None:
        return None
    text = normalise_address(address)
    if int(text[:2], 16) < 0xC0:
        raise InvalidOptionError(
            f"a random static address begins with C0 to FF (Core Spec 5.4, Vol 6, B, 1.3.2.1): {text}"
        )
    return hci.Address(text, hci.AddressType.RANDOM_DEVICE)
