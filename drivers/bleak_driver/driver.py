"""The driver: the contract on BlueZ."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from ble_driver import (
    AddressType,
    BaseDriver,
    CoordinationClient,
    InvalidOptionError,
    LinkError,
    LinkRaceError,
    Packet,
    RadioError,
    Role,
    check_seconds,
    share_adapter,
    within,
)

from . import bearers
from .bluez import AdapterOffError, BlueZ, ForestalledError, UnknownDeviceError, address_of
from .central import BlueZLink, Central, MissingCharacteristicError, write
from .centrals import UNHEARD_TIME, Centrals
from .claim import AdapterClaim
from .errors import RACE_PAUSE, obeyed
from .gatt_server import GattServer
from .notifier import Notifier
from .power import power_cycle
from .scanner import Found, PowerMode, Scanner

logger = logging.getLogger(__name__)

#: Of so many attempts in a row that time out, the last is made without pausing the scan: some controllers connect only
#: while they scan (PROTOCOL.md, BlueZ facts).
UNPAUSED_ATTEMPT = 3
#: How often a connection is opened within one attempt: bluetoothd takes up to three seconds to end one, of ten.
LINK_ATTEMPTS = 2
#: Seconds in which links and scan are ended when the radio is closed: bluetoothd takes 2 to 2.75 for a link (seen).
PARTING_TIME = 3.1
#: Seconds by which an attempt that the peer has forestalled is told of before it would time out.
FORESTALLED_MARGIN = 0.5


@dataclass
class _Radio:
    """What there is while the radio is up."""

    bluez: BlueZ
    server: GattServer
    notifier: Notifier
    scanner: Scanner
    central: Central


class BleakDriver(BaseDriver[BlueZLink]):
    """A `BLEDriverInterface` on Linux with BlueZ 5.62 or newer.

    Args:
        adapter: the adapter's name.
        power_mode: ``aggressive``, ``balanced`` or ``saver``, see `PowerMode`.
        connect_timeout: seconds after which an attempt to connect is given up.
        service_discovery_timeout: seconds that the peer's services may take of them; more than one try may fit.
        coordination: the service by which programs share the adapter (`ble_coordination`): its URL, or a client for it
            that nobody else uses. The driver uses the adapter only while it holds its lock.
        coordination_mode: what to do while that service is away: ``required`` leaves the adapter alone, ``advisory``
            uses it and says so by ``on_error``.
        coordination_device: what the service calls the adapter; by default its name.

    Raises:
        InvalidOptionError: an option has a value that it cannot take.
    """

    def __init__(
        self,
        *,
        adapter: str = "hci0",
        power_mode: str = "aggressive",
        connect_timeout: float = 10.0,
        service_discovery_timeout: float = 8.0,
        coordination: str | CoordinationClient | None = None,
        coordination_mode: str = "required",
        coordination_device: str = "",
    ) -> None:
        super().__init__(
            connect_timeout=connect_timeout,
            adapter_lock=share_adapter(coordination, coordination_mode, coordination_device, adapter),
        )
        if not (isinstance(adapter, str) and adapter.startswith("hci") and adapter[3:].isdecimal()):
            raise InvalidOptionError(f"adapter must be a name such as hci0, not {adapter!r}")
        modes = {mode.name.lower(): mode for mode in PowerMode}
        if power_mode not in modes:
            raise InvalidOptionError(f"power_mode must be one of {', '.join(modes)}, not {power_mode!r}")
        self._discovery_timeout = check_seconds("service_discovery_timeout", service_discovery_timeout)
        self._adapter = adapter
        self._power_mode = modes[power_mode]
        self._claim = AdapterClaim(adapter)
        self._radio: _Radio | None = None
        self._switched_off = False  # by a person, while we used it: it is left off then
        self._why_gone = "the radio is gone"
        self._closing = asyncio.Event()  # set when that which closes the radio has done so; another one each time
        self._closing.set()
        self._centrals = Centrals(self._dispatcher.time)
        # Of centrals that have left: whether connected, and whether by us, until what they wrote has arrived.
        self._heard_out: dict[str, list[tuple[bool, bool]]] = {}

    @property
    def local_address(self) -> str | None:
        return self._radio.bluez.address if self._radio is not None else None

    @property
    def local_address_type(self) -> AddressType:
        if self._radio is None:
            return AddressType.UNKNOWN
        return AddressType.RANDOM if self._radio.bluez.address_type == "random" else AddressType.PUBLIC

    # --- the radio as a whole -----------------------------------------------------------------------------------------

    async def _open_radio(self) -> None:
        assert self._uuids is not None
        bluez = BlueZ(self._adapter, self._on_device_connection, self._on_radio_lost)
        server = GattServer(
            bluez.path,
            self._uuids,
            lambda: self._identity,
            self._on_write_elsewhere,
            self._on_socket_elsewhere,
            bluez.ping,
        )
        notifier = Notifier(
            lambda packet: obeyed(server.notify(packet), "notify"),
            self._centrals,
            self._dispatcher.time,
            self._share_mtu,
        )
        scanner = Scanner(
            self._adapter,
            self._uuids.service,
            self._power_mode,
            self._exclusive,
            self._dispatcher,
            self._report_device,
            self._report_scan_failed,
        )
        central = Central(
            self._adapter,
            self._uuids,
            self._discovery_timeout,
            bluez.mtu_of,
            self._report_frame,
            self._report_link_lost,
            self._is_forestalled,
        )
        self._claim.take()
        try:
            await bluez.open(self._uuids.service, power_on=not self._switched_off)
            await obeyed(server.open(), "register the GATT service")
            wrong = bearers.complaint(await bluez.daemon_pid())
        except BaseException:
            try:
                await server.close()
                await bluez.close()
            finally:  # also when `stop` has no patience with these
                self._claim.drop()
            raise
        self._radio = _Radio(bluez, server, notifier, scanner, central)
        self._switched_off = False
        if wrong is not None:
            self._report_error(RadioError(wrong))

    def _on_radio_lost(self, error: RadioError) -> None:
        self._switched_off = isinstance(error, AdapterOffError)
        if self._radio is not None:
            self._why_gone = str(error)
            self._dispatcher.spawn(self._lose(error))

    async def _lose(self, error: RadioError) -> None:
        if self._radio is not None:
            await self._close_radio()
            self._report_radio_lost(error)

    async def _close_radio(self) -> None:
        radio, self._radio = self._radio, None
        centrals = self._centrals.addresses
        self._centrals.clear()
        if radio is None:
            await self._closing.wait()  # who has lost it may be at it still
            return
        closing = self._closing = asyncio.Event()
        try:
            # Together, because bluetoothd takes more than two seconds for each disconnect.
            await _in_time(
                radio.scanner.stop(), radio.central.close_all(), *(_end(radio.bluez, address) for address in centrals)
            )
            radio.notifier.close()
            await radio.server.close()
            await radio.bluez.close()
        finally:
            closing.set()
            if self._radio is None:  # else this one would not close, and was opened anew meanwhile
                self._claim.drop()

    async def _check_radio(self) -> None:
        await self._there().bluez.is_powered()

    async def _power_cycle(self) -> None:
        assert self._uuids is not None
        self._claim.take()
        bluez = BlueZ(self._adapter, lambda *_: None, lambda _: None)
        try:
            await bluez.open(self._uuids.service, power_on=not self._switched_off)
            await power_cycle(bluez, self._uuids.service)
        finally:
            try:
                await bluez.close()
            finally:
                self._claim.drop()

    @property
    def _remedy(self) -> str:
        return (
            "sudo systemctl restart bluetooth; if that does not help, pull the adapter out and plug it in again, "
            "or start the machine anew"
        )

    def _there(self) -> _Radio:
        if self._radio is None:
            raise RadioError(self._why_gone)
        return self._radio

    # --- being found and finding --------------------------------------------------------------------------------------

    async def _set_scanning(self, on: bool) -> None:
        scanner = self._there().scanner
        await (scanner.start() if on else scanner.stop())

    async def _set_advertising(self, on: bool) -> None:
        server = self._there().server
        await obeyed(server.stop_advertising(), "stop advertising")  # also to change the name
        if on:
            await obeyed(server.advertise(self._device_name), "start advertising")

    # --- links that we open -------------------------------------------------------------------------------------------

    async def _open_link(self, address: str) -> BlueZLink:
        found: Found | None = None
        time_out_at = self._dispatcher.time() + self._connect_timeout
        try:
            radio = self._there()
            found = radio.scanner.known(address)
            async with self._turn_to_dial(found):
                found = await radio.scanner.find(address, self._connect_timeout)
                link = await self._link_to(radio, address, found)
                found.timeouts = 0
                return link
        except ForestalledError:
            # With its handshake this attempt is superseded. Without one it is told as a race, not as a time-out.
            await asyncio.sleep(min(UNHEARD_TIME, time_out_at - FORESTALLED_MARGIN - self._dispatcher.time()))
            raise
        except MissingCharacteristicError:
            await radio.bluez.forget(address)  # or it would not be heard when it has our service again
            raise
        except RadioError as error:  # the radio's trouble is reported by itself
            raise LinkError(f"{address} cannot be dialled: {error}") from error
        except asyncio.CancelledError:
            if found is not None and not self._is_forestalled(address):
                found.timeouts += 1
            raise

    async def _link_to(self, radio: _Radio, address: str, found: Found) -> BlueZLink:
        """Reach a peer and set up a link; again if the connection breaks meanwhile, which is usual on the air."""
        attempt = 1
        while True:
            try:
                await self._reach(radio, address)
                return await radio.central.set_up(found.device, self._identity)
            except LinkError as error:
                # One that has an error of its own has an answer already.
                refused = type(error) not in (LinkError, LinkRaceError, MissingCharacteristicError)
                if refused or attempt == LINK_ATTEMPTS:
                    raise
                logger.debug("dialling %s again: %s", address, error)
            await asyncio.sleep(RACE_PAUSE)
            attempt += 1

    async def _reach(self, radio: _Radio, address: str) -> None:
        """Have a connection to a peer that is ours to use."""
        try:
            if self._centrals.is_expected(address):
                raise ForestalledError(f"{address} has connected to us; its handshake is awaited")
            if not await radio.bluez.is_connected(address):
                logger.debug("BlueZ is to connect to %s", address)
                await radio.bluez.connect(address)
            # else it has been connected for long, and nobody speaks: the connection is as good as ours
        except UnknownDeviceError:
            radio.scanner.forget(address)
            raise
        except ForestalledError:
            self._expect_handshake(address)
            raise

    def _is_forestalled(self, address: str) -> bool:
        link = self._links.get(address)
        return link is not None and link.role is Role.PERIPHERAL

    def _turn_to_dial(self, found: Found | None) -> AbstractAsyncContextManager[object]:
        """Have the radio for an attempt: with a scan going on, Linux usually does not come to initiate."""
        if found is not None and found.timeouts % UNPAUSED_ATTEMPT == UNPAUSED_ATTEMPT - 1:
            return self._exclusive.get_operation_lock()
        return self._exclusive.client_operation(math.inf)

    # --- links that others open ---------------------------------------------------------------------------------------

    def _on_device_connection(self, address: str, connected: bool) -> None:
        """BlueZ says that a device was connected or disconnected, by whomever."""
        radio = self._radio
        ours = radio is not None and radio.bluez.is_dialling(address)
        link = self._links.get(address)
        if address in self._heard_out:
            self._heard_out[address].append((connected, ours))
        elif radio is not None and not connected and link is not None and link.role is Role.PERIPHERAL:
            self._heard_out[address] = [(connected, ours)]
            self._dispatcher.spawn(self._tell_when_heard_out(radio.server, address))
        else:
            self._take_news(address, connected, ours)

    async def _tell_when_heard_out(self, server: GattServer, address: str) -> None:
        try:
            await _hear_out(server, address)
        finally:
            news = self._heard_out.pop(address)
        for connected, ours in news:
            self._take_news(address, connected, ours)

    def _take_news(self, address: str, connected: bool, ours: bool) -> None:
        if connected:
            if address not in self._links and not ours:
                self._expect_handshake(address)
        else:
            self._centrals.gone(address)
            link = self._links.get(address)
            if self._radio is not None and self._uuids is not None:
                self._radio.notifier.gone(address)
                is_a_node = link is not None or self._radio.scanner.known(address) is not None
                if is_a_node and address not in self._attempts:  # else it is dialled again now
                    self._dispatcher.spawn(self._radio.bluez.forget(address, unless_it_offers=self._uuids.service))
            if link is not None:
                self._report_link_lost(link)
            self._share_mtu()

    def _expect_handshake(self, address: str) -> None:
        """A peer has connected to us, and may subscribe before it writes."""
        self._centrals.connected(address)
        self._share_mtu()
        self._dispatcher.call_later(UNHEARD_TIME, self._share_mtu)

    def _on_write_elsewhere(self, path: str, mtu: int, value: bytes) -> None:
        self._dispatcher.call_soon(self._on_write, path, mtu, value)  # this is GLib's thread

    def _on_write(self, path: str, mtu: int, value: bytes) -> None:
        address = address_of(path)
        link = self._links.get(address)
        if link is None or link.role is Role.PERIPHERAL:
            self._centrals.heard(address, mtu)
        if link is None:
            link = BlueZLink(address, Role.PERIPHERAL, self._mtu_for(address))
            if not self._report_link(link):
                self._begin_close(link)
                return
        self._share_mtu()
        self._report_frame(link, value)

    def _on_socket_elsewhere(self, path: str, mtu: int, ours: socket.socket) -> None:
        self._dispatcher.call_soon(self._on_socket, path, mtu, ours)  # this is GLib's thread

    def _on_socket(self, path: str, mtu: int, ours: socket.socket) -> None:
        if self._radio is not None:
            self._radio.notifier.subscribed(address_of(path), mtu, ours)
        else:
            ours.close()

    def _mtu_for(self, address: str) -> int:
        return self._radio.notifier.mtu_for(address) if self._radio is not None else self._centrals.smallest_mtu

    def _share_mtu(self) -> None:
        for link in self._peripheral_links():
            self._report_mtu(link, self._mtu_for(link.address))

    def _peripheral_links(self) -> list[BlueZLink]:
        return [link for link in list(self._links.values()) if link.role is Role.PERIPHERAL]

    # --- frames -------------------------------------------------------------------------------------------------------

    async def _transmit_packet(self, link: BlueZLink, packet: Packet) -> None:
        if link.role is Role.CENTRAL:
            await super()._transmit_packet(link, packet)
            return
        others = [other.address for other in self._peripheral_links() if other is not link]
        try:
            notifier = self._there().notifier
        except RadioError as error:
            raise LinkError(str(error)) from error
        await notifier.notify(link.address, packet, others)

    async def _transmit(self, link: BlueZLink, frame: bytes, acknowledged: bool) -> None:
        await write(link, frame, acknowledged)

    async def _close_link(self, link: BlueZLink) -> None:
        radio = self._radio
        if radio is None:
            return
        if link.client is not None:
            await radio.central.close(link)
        else:
            await _end(radio.bluez, link.address)
            await _hear_out(radio.server, link.address)


async def _end(bluez: BlueZ, address: str) -> None:
    try:
        await bluez.disconnect(address)
    except RadioError as error:  # it is not connected any more
        logger.debug("disconnecting %s: %s", address, error)


async def _hear_out(server: GattServer, address: str) -> None:
    """Let what a central wrote before it left arrive: by another connection to D-Bus than the news that it left.

    It would be taken for the first words of another link.
    """
    try:
        await obeyed(server.hear_out(), "hand on what was written")
    except RadioError as error:
        logger.debug("%s has left: %s", address, error)


async def _in_time(*partings: Awaitable[object]) -> None:
    """Await what makes the end a good one, but not longer than bluetoothd needs if it works."""
    try:
        await within(PARTING_TIME, asyncio.gather(*partings))
    except TimeoutError:
        logger.warning("bluetoothd does not answer; it is left without a word")
