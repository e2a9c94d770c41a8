"""The driver: what `BaseDriver` leaves to its radio, and no more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import astuple, dataclass, field
from pathlib import Path

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
    RadioError,
    Role,
    check_mtu,
    clamp_mtu,
    normalise_address,
)

from .wire import read_frame, read_line, send_frame, send_line

#: Seconds between two looks into the directory.
INTERVAL = 0.03


@dataclass(eq=False)
class SocketLink(Link):
    """A link, and the stream it runs over."""

    writer: asyncio.StreamWriter = field(kw_only=True)


class SocketDriver(BaseDriver[SocketLink]):
    """A `BLEDriverInterface` whose radio is a directory; all nodes that share it hear each other.

    Args:
        directory: where the sockets are; its path has at most 80 bytes, because that of a socket has 107.
        mtu: the largest ATT MTU it agrees to, in bytes.
        connect_timeout: seconds after which an attempt to connect is given up.

    Raises:
        InvalidMTUError, InvalidOptionError: an option has a value that it cannot take.
    """

    def __init__(self, *, directory: str, mtu: int = MAX_MTU, connect_timeout: float = 10.0) -> None:
        super().__init__(connect_timeout=connect_timeout)
        self._directory = Path(directory)
        self._mtu = check_mtu(mtu)
        # A random static address has both top bits set (Core Spec 5.4, Vol 6, Part B, 1.3.2.1).
        self._address = ":".join(f"{octet:02X}" for octet in bytes([os.urandom(1)[0] | 0xC0]) + os.urandom(5))
        self._server: asyncio.Server | None = None
        self._scan: asyncio.Task[object] | None = None
        self._streams: set[asyncio.StreamWriter] = set()
        self._greeted: set[str] = set()  # peers that we have reached and are not linked with yet

    @property
    def local_address(self) -> str | None:
        return self._address if self._server is not None else None

    @property
    def local_address_type(self) -> AddressType:
        return AddressType.RANDOM

    # --- the radio ----------------------------------------------------------------------------------------------------

    def _socket(self, address: str) -> Path:
        return self._directory / f"{address.replace(':', '')}.socket"

    def _advertisement(self, address: str) -> Path:
        return self._socket(address).with_suffix(".json")

    async def _open_radio(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._server = await asyncio.start_unix_server(self._accept, self._socket(self._address))
        except OSError as error:
            raise RadioError(f"{self._directory} cannot be the radio ({error}): choose another directory") from error

    async def _close_radio(self) -> None:
        if self._scan is not None:
            self._scan.cancel()
        server, self._server, self._scan = self._server, None, None
        if server is not None:
            server.close()
            self._advertisement(self._address).unlink(missing_ok=True)
            self._socket(self._address).unlink(missing_ok=True)
        for writer in list(self._streams):
            await self._hang_up(writer)

    async def _hang_up(self, writer: asyncio.StreamWriter) -> None:
        self._streams.discard(writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def vanish(self) -> None:
        """Be gone at once, as when the battery is taken out: for tests."""
        self.dispatcher.call_soon(lambda: self.dispatcher.spawn(self._close_radio()))

    # --- being found and finding --------------------------------------------------------------------------------------

    async def _set_advertising(self, on: bool) -> None:
        file = self._advertisement(self._address)
        if not on:
            file.unlink(missing_ok=True)
            return
        assert self._uuids is not None
        text = json.dumps({"address": self._address, "service": self._uuids.service, "name": self._device_name})
        draft = file.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(file)  # so that nobody reads half of it

    async def _set_scanning(self, on: bool) -> None:
        if self._scan is not None:
            self._scan.cancel()
        self._scan = self.dispatcher.spawn(self._look_around()) if on else None

    async def _look_around(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            for file in self._directory.glob("*.json"):
                # The file may be gone again, and it may be anything.
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    seen = json.loads(file.read_text())
                    if seen["service"] == self._uuids.service and seen["address"] != self._address:  # type: ignore[union-attr]
                        address = normalise_address(seen["address"])
                        self._report_device(BLEDevice(address, seen["name"], None, AddressType.RANDOM))

    # --- links that we open -------------------------------------------------------------------------------------------

    async def _open_link(self, address: str) -> SocketLink:
        reader, writer = await self._reach(address)
        self._streams.add(writer)
        self._greeted.add(address)
        try:
            link = await self._greet(address, reader, writer)
        except BaseException as error:
            await self._hang_up(writer)
            if isinstance(error, OSError) and not isinstance(error, LinkError):
                raise LinkError(f"the link to {address} broke: {error}") from error
            raise
        finally:
            self._greeted.discard(address)
        self.dispatcher.spawn(self._listen(link, reader))
        return link

    async def _reach(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Wait until the peer advertises, and connect to it."""
        while True:
            if self._advertisement(address).exists():
                with contextlib.suppress(OSError):  # what it left behind when it was killed
                    return await asyncio.open_unix_connection(self._socket(address))
            await asyncio.sleep(INTERVAL)

    async def _greet(self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> SocketLink:
        """Learn who the peer is, and tell it that there is a link if that is whom we look for."""
        assert self._uuids is not None
        await send_line(writer, address=self._address, mtu=self._mtu)
        told = await read_line(reader)
        if told.get("uuids") != list(astuple(self._uuids)) or told.get("identity") is None:
            raise NotOurServiceError(f"{address} does not have our service, or no identity yet")
        identity = bytes.fromhex(told["identity"])
        if identity == self._identity:
            raise OwnIdentityError(f"{address} has our own identity")
        await send_line(writer, subscribe=True)
        if not (await read_line(reader)).get("linked"):
            raise PeerRefusedError(f"{address} takes no link to us now")
        mtu = min(self._mtu, clamp_mtu(told["mtu"]))
        return SocketLink(address, Role.CENTRAL, mtu, identity, writer=writer)

    # --- links that others open ---------------------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._streams.add(writer)
        link = None
        try:
            link = await self._welcome(reader, writer)
        except (OSError, ValueError, KeyError, TypeError):
            pass  # a stranger who speaks otherwise: his loss
        finally:
            if link is None:
                await self._hang_up(writer)
        if link is not None:
            with contextlib.suppress(OSError):  # `_listen` finds out that it is gone
                await send_line(writer, linked=True)
            await self._listen(link, reader)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> SocketLink | None:
        """Tell a central who we are; once it subscribes, there is a link."""
        assert self._uuids is not None
        hello = await read_line(reader)
        address, mtu = normalise_address(hello["address"]), min(self._mtu, clamp_mtu(hello["mtu"]))
        identity = self._identity.hex() if self._identity is not None else None
        await send_line(writer, identity=identity, mtu=self._mtu, uuids=astuple(self._uuids))
        await read_line(reader)
        link = SocketLink(address, Role.PERIPHERAL, mtu, writer=writer)
        # Of two that reach each other at once, the one with the lower address goes on.
        we_go_on = address in self._greeted and self._address < address
        if we_go_on or not self._report_link(link):
            return None
        return link

    # --- frames -------------------------------------------------------------------------------------------------------

    async def _listen(self, link: SocketLink, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                self._report_frame(link, await read_frame(reader))
        except (asyncio.IncompleteReadError, OSError):
            self._report_link_lost(link)
            await self._hang_up(link.writer)

    async def _transmit(self, link: SocketLink, frame: bytes, acknowledged: bool) -> None:
        try:
            await send_frame(link.writer, frame)
        except OSError as error:
            raise LinkError(f"the link to {link.address} is gone: {error}") from error

    async def _close_link(self, link: SocketLink) -> None:
        await self._hang_up(link.writer)
