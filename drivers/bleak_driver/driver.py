"""The driver: the contract on BlueZ."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from enum import Enum
from typing import Any

import dbus.exceptions
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice as FoundDevice
from bleak.backends.scanner import AdvertisementData

from ble_driver import (
    DEFAULT_MTU,
    MAX_MTU,
    AddressType,
    BaseDriver,
    BLEDevice,
    InvalidOptionError,
    LinkError,
    Packet,
    PeerRefusedError,
    RadioError,
    Role,
    frame_size,
)

from .bluez import REMEDIES, BlueZ, address_of
from .central import BLEAK_ERRORS, RACE_ATTEMPTS, RACE_PAUSE, BlueZLink, dial, hang_up, is_race, write
from .gatt_server import GattServer

logger = logging.getLogger(__name__)

#: Seconds after its connection in which a central may still be unheard of, so that frames must fit the default MTU.
UNHEARD_TIME = 10.0
#: How many discovered devices are remembered, to dial them by what BlueZ knows of them.
MAX_REMEMBERED = 1000
#: Values of RSSI that mean "unknown" (PROTOCOL.md, Advertising).
UNKNOWN_RSSI = (0, -127, -128)


class PowerMode(Enum):
    """How much of the time the scanner listens: seconds on, seconds off.

    AGGRESSIVE always, BALANCED half of the time, SAVER one second in ten.
    """

    AGGRESSIVE = (1.0, 0.0)
    BALANCED = (5.0, 5.0)
    SAVER = (2.0, 18.0)


class BleakDriver(BaseDriver[BlueZLink]):
    """A `BLEDriverInterface` on Linux with BlueZ 5.55 or newer.

    Args:
        adapter: the adapter's name.
        power_mode: ``aggressive``, ``balanced`` or ``saver``, see `PowerMode`.
        connect_timeout: seconds after which an attempt to connect is given up.

    Raises:
        InvalidOptionError: an option has a value that it cannot take.
    """

    def __init__(self, *, adapter: str = "hci0", power_mode: str = "aggressive", connect_timeout: float = 10.0) -> None:
        super().__init__(connect_timeout=connect_timeout)
        if not (isinstance(adapter, str) and adapter.startswith("hci") and adapter[3:].isdecimal()):
            raise InvalidOptionError(f"adapter must be a name such as hci0, not {adapter!r}")
        modes = {mode.name.lower(): mode for mode in PowerMode}
        if power_mode not in modes:
            raise InvalidOptionError(f"power_mode must be one of {', '.join(modes)}, not {power_mode!r}")
        self._adapter = adapter
        self._power_mode = modes[power_mode]
        self._bluez: BlueZ | None = None
        self._server: GattServer | None = None
        self._scanner: BleakScanner | None = None
        self._scan_task: asyncio.Task[object] | None = None
        self._found: OrderedDict[str, FoundDevice] = OrderedDict()
        self._clients: set[BleakClient] = set()
        self._unheard: dict[str, float] = {}  # centrals that connected and have not written yet, and since when
        self._own_mtu: dict[str, int] = {}  # of centrals: what each agreed to; frames must fit the smallest
        self._radio_turn = asyncio.Lock()
        self._notify_turn = asyncio.Lock()

    @property
    def local_address(self) -> str | None:
        return self._bluez.address if self._bluez is not None else None

    @property
    def local_address_type(self) -> AddressType:
        if self._bluez is None:
            return AddressType.UNKNOWN
        return AddressType.RANDOM if self._bluez.address_type == "random" else AddressType.PUBLIC

    # --- the radio as a whole -----------------------------------------------------------------------------------------

    async def _open_radio(self) -> None:
        assert self._uuids is not None
        # Locks belong to the loop that first waits for them, and each start has its own.
        self._radio_turn, self._notify_turn = asyncio.Lock(), asyncio.Lock()
        bluez = BlueZ(self._adapter, self._on_device_connection, self._on_radio_lost)
        try:
            await bluez.open()
        except BaseException:
            await bluez.close()
            raise
        self._bluez = bluez
        self._server = GattServer(bluez.path, self._uuids, lambda: self._identity, self._on_write_elsewhere)
        await _obeyed(self._server.open(), "register the GATT service")

    def _on_radio_lost(self, error: RadioError) -> None:
        if self._bluez is not None:
            self._dispatcher.spawn(self._lose(error))

    async def _lose(self, error: RadioError) -> None:
        if self._bluez is not None:
            await self._close_radio()
            self._report_radio_lost(error)

    async def _close_radio(self) -> None:
        bluez, self._bluez = self._bluez, None
        server, self._server = self._server, None
        clients, self._clients = self._clients, set()
        self._unheard.clear()
        self._own_mtu.clear()
        await self._stop_scanner()
        await asyncio.gather(*(hang_up(client) for client in clients))
        if server is not None:
            await server.close()
        if bluez is not None:
            await bluez.close()

    # --- being found and finding --------------------------------------------------------------------------------------

    async def _set_scanning(self, on: bool) -> None:
        await self._stop_scanner()
        if on:
            assert self._uuids is not None
            self._scanner = BleakScanner(
                self._on_advertisement,
                service_uuids=[self._uuids.service],
                bluez={"adapter": self._adapter, "filters": {"DuplicateData": True}},
            )
            await self._start_scanner(self._scanner)
            if self._power_mode is not PowerMode.AGGRESSIVE:
                self._scan_task = self._dispatcher.spawn(self._pace_scan(self._scanner))

    async def _start_scanner(self, scanner: BleakScanner) -> None:
        for attempt in range(1, RACE_ATTEMPTS + 1):
            try:
                await _obeyed(scanner.start(), "start scanning")
                return
            except RadioError as error:  # such as a scan that bluetoothd has not ended yet
                if attempt == RACE_ATTEMPTS or not is_race(error):
                    raise
                await asyncio.sleep(RACE_PAUSE * attempt)

    async def _stop_scanner(self) -> None:
        task, self._scan_task = self._scan_task, None
        scanner, self._scanner = self._scanner, None
        if task is not None:
            task.cancel()
        if scanner is not None:
            try:
                await scanner.stop()
            except BLEAK_ERRORS as error:
                logger.debug("stopping the scanner: %r", error)  # with bluetoothd gone there is nothing to stop

    async def _pace_scan(self, scanner: BleakScanner) -> None:
        """Listen a part of the time only."""
        on, off = self._power_mode.value
        while True:
            await asyncio.sleep(on)
            async with self._radio_turn:
                await scanner.stop()
            await asyncio.sleep(off)
            async with self._radio_turn:
                await scanner.start()

    @contextlib.asynccontextmanager
    async def _scan_paused(self) -> AsyncIterator[None]:
        """Do not scan for a while: with a scan going on, Linux does not come to initiate."""
        scanner = self._scanner
        if scanner is None:
            yield
            return
        try:
            await _obeyed(scanner.stop(), "pause scanning")
            yield
        finally:
            if scanner is self._scanner:
                try:
                    await self._start_scanner(scanner)
                except RadioError as error:
                    self._report_error(error)
                    self._scanning = False  # so that it is tried again
                    self._kick()

    async def _set_advertising(self, on: bool) -> None:
        if self._server is None:
            raise RadioError("there is no GATT server")
        if on:
            await _obeyed(self._server.advertise(self._device_name), "start advertising")
        else:
            await _obeyed(self._server.stop_advertising(), "stop advertising")

    def _on_advertisement(self, device: FoundDevice, advertisement: AdvertisementData) -> None:
        if self._uuids is None or self._uuids.service not in (u.lower() for u in advertisement.service_uuids):
            return
        address = device.address.upper()
        self._found[address] = device
        self._found.move_to_end(address)
        if len(self._found) > MAX_REMEMBERED:
            self._found.popitem(last=False)
        rssi = None if advertisement.rssi in UNKNOWN_RSSI else advertisement.rssi
        kind = device.details.get("props", {}).get("AddressType")
        kinds = {"public": AddressType.PUBLIC, "random": AddressType.RANDOM}
        self._report_device(BLEDevice(address, advertisement.local_name, rssi, kinds.get(kind, AddressType.UNKNOWN)))

    # --- links that we open -------------------------------------------------------------------------------------------

    async def _open_link(self, address: str) -> BlueZLink:
        async with self._radio_turn, self._scan_paused():  # BlueZ initiates one connection at a time
            device = await self._find(address)
            if self._bluez is None or self._uuids is None:
                raise LinkError("the radio is gone")
            if await self._bluez.is_connected(address):
                # Dialling would put a second pair of roles on the peer's own link, and ending it would end that.
                raise PeerRefusedError(f"{address} has connected to us; its handshake is awaited")
            link = await dial(
                device, self._adapter, self._uuids, self._identity, self._report_frame, self._on_link_lost
            )
            assert link.client is not None
            self._clients.add(link.client)
            return link

    def _on_link_lost(self, link: BlueZLink | None) -> None:
        if link is None or link.client is None:
            return  # it was not set up yet: whoever dials will notice
        self._report_link_lost(link)
        self._dispatcher.spawn(self._release(link.client))

    async def _release(self, client: BleakClient) -> None:
        """End a connection that we opened; bleak keeps its connection to D-Bus until it is told to disconnect."""
        if client in self._clients:
            self._clients.remove(client)
            await hang_up(client)

    async def _find(self, address: str) -> FoundDevice:
        """Return what BlueZ knows of a device; look for it if it was not heard yet."""
        device = self._found.get(address)
        if device is None:
            device = await BleakScanner.find_device_by_address(
                address, timeout=self._connect_timeout, bluez={"adapter": self._adapter}
            )
        if device is None:
            raise LinkError(f"{address} cannot be heard")
        return device

    # --- links that others open ---------------------------------------------------------------------------------------

    def _on_device_connection(self, address: str, connected: bool) -> None:
        """BlueZ says that a device was connected or disconnected, by whomever."""
        if connected:
            if address not in self._links and address not in self._attempts:
                self._unheard[address] = self._dispatcher.time()
                self._share_mtu()
                self._dispatcher.call_later(UNHEARD_TIME, self._share_mtu)
            return
        self._unheard.pop(address, None)
        self._own_mtu.pop(address, None)
        link = self._links.get(address)
        if link is not None:
            self._report_link_lost(link)
        self._share_mtu()

    def _on_write_elsewhere(self, path: str, mtu: int, value: bytes) -> None:
        self._dispatcher.call_soon(self._on_write, path, mtu, value)  # this is GLib's thread

    def _on_write(self, path: str, mtu: int, value: bytes) -> None:
        address = address_of(path)
        link = self._links.get(address)
        if link is None:
            link = BlueZLink(address, Role.PERIPHERAL, DEFAULT_MTU)
            self._unheard.pop(address, None)
            self._own_mtu[address] = max(DEFAULT_MTU, min(mtu, MAX_MTU))
            link.mtu = self._smallest_mtu()
            if not self._report_link(link):
                self._dispatcher.spawn(self._end(address))
                return
        elif link.role is Role.PERIPHERAL and mtu and self._own_mtu.get(address) != min(mtu, MAX_MTU):
            self._own_mtu[address] = min(mtu, MAX_MTU)
        self._share_mtu()
        self._report_frame(link, value)

    def _smallest_mtu(self) -> int:
        """The MTU that bounds notifications: they reach every subscribed central, and are cut for the smallest."""
        now = self._dispatcher.time()
        self._unheard = {address: at for address, at in self._unheard.items() if now - at < UNHEARD_TIME}
        return DEFAULT_MTU if self._unheard else min(self._own_mtu.values(), default=DEFAULT_MTU)

    def _share_mtu(self) -> None:
        mtu = self._smallest_mtu()
        for link in list(self._links.values()):
            if link.role is Role.PERIPHERAL:
                self._report_mtu(link, mtu)

    async def _end(self, address: str) -> None:
        if self._bluez is not None:
            try:
                await self._bluez.disconnect(address)
            except RadioError as error:
                logger.debug("disconnecting %s: %s", address, error)

    # --- frames -------------------------------------------------------------------------------------------------------

    async def _transmit_packet(self, link: BlueZLink, packet: Packet) -> None:
        if link.role is Role.CENTRAL:
            await super()._transmit_packet(link, packet)
            return
        async with self._notify_turn:  # all centrals hear all frames: no other packet's may come between
            if max(map(len, packet)) > frame_size(link.mtu):
                logger.debug(
                    "a packet to %s was cut for a larger MTU than all centrals have now: dropped", link.address
                )
                return
            if self._server is None:
                raise LinkError("the GATT server is gone")
            try:
                await self._server.notify(packet)
            except (dbus.exceptions.DBusException, asyncio.TimeoutError) as error:
                raise LinkError(f"notifying: {error}") from error

    async def _transmit(self, link: BlueZLink, frame: bytes, acknowledged: bool) -> None:
        await write(link, frame, acknowledged)

    async def _close_link(self, link: BlueZLink) -> None:
        if link.client is not None:
            await self._release(link.client)
        else:
            await self._end(link.address)


async def _obeyed(command: Any, what: str) -> None:
    """Await a command to BlueZ."""
    try:
        await command
    except dbus.exceptions.DBusException as error:
        name = str(error.get_dbus_name())
        raise RadioError(f"BlueZ cannot {what}: {REMEDIES.get(name, name)} ({error.get_dbus_message()})") from error
    except BLEAK_ERRORS as error:
        raise RadioError(f"BlueZ cannot {what}: {error or type(error).__name__}") from error
