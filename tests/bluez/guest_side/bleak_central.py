"""A central of raw bleak, obeying JSON lines on its standard input.

    python -m tests.bluez.guest_side.bleak_central IDENTITY

It scans for our service, links to the first peer as the protocol says, and reports "found", "connected", "linked".
Then: ``{"do": "write", "count": 100, "size": 500}`` sends frames, every `WINDOW`-th as a request, and reports
"written"; "received" reports how many notifications came, and how; "disconnect" ends the link and the program.
"disconnected" is reported whenever the link is gone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from .report import say
from .wire import IDENTITY, RX, SERVICE, TX, frames, judge

ADAPTER = "hci0"
SCAN_TIMEOUT, CONNECT_TIMEOUT, SILENCE = 30.0, 30.0, 15.0
#: After this many write commands comes a write request, which is answered only when they were all taken.
WINDOW = 8


class Stopwatch:
    """Tells the seconds since it was last asked."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def lap(self) -> float:
        """Return the seconds since the last lap."""
        last, self._last = self._last, time.monotonic()
        return round(self._last - last, 3)


async def find() -> BLEDevice:
    """Return the first device that advertises our service."""
    found: asyncio.Future[tuple[BLEDevice, AdvertisementData]] = asyncio.get_running_loop().create_future()

    def on_advertisement(device: BLEDevice, data: AdvertisementData) -> None:
        if SERVICE in data.service_uuids and not found.done():
            found.set_result((device, data))

    watch = Stopwatch()
    async with BleakScanner(on_advertisement, service_uuids=[SERVICE], bluez={"adapter": ADAPTER}):
        device, data = await asyncio.wait_for(found, SCAN_TIMEOUT)
    say("found", address=device.address, name=data.local_name, rssi=data.rssi, seconds=watch.lap())
    return device


class Central:
    """One link."""

    def __init__(self, client: BleakClient) -> None:
        self._client = client
        self._received: list[bytes] = []

    async def link(self, identity: bytes) -> None:
        """Do what a central does before it is a peer."""
        watch = Stopwatch()
        await self._client.connect()
        say("connected", seconds=watch.lap())
        theirs = bytes(await self._client.read_gatt_char(IDENTITY))
        read = watch.lap()
        rx = self._client.services.get_characteristic(RX)
        assert rx is not None
        mtu = rx.max_write_without_response_size + 3
        await self._client.start_notify(TX, lambda _, value: self._received.append(bytes(value)))
        subscribed = watch.lap()
        await self._client.write_gatt_char(RX, identity, response=True)
        say("linked", identity=theirs.hex(), mtu=mtu, read=read, subscribe=subscribed, handshake=watch.lap())

    async def write(self, count: int, size: int) -> None:
        """Send frames."""
        watch = Stopwatch()
        for number, frame in enumerate(frames(count, size), 1):
            await self._client.write_gatt_char(RX, frame, response=number % WINDOW == 0 or number == count)
        say("written", count=count, size=size, seconds=watch.lap())

    async def received(self, count: int) -> None:
        """Report the notifications, once there are as many as wanted or it is silent."""
        had, heard = -1, time.monotonic()
        while len(self._received) < count and time.monotonic() - heard < SILENCE:
            if len(self._received) != had:
                had, heard = len(self._received), time.monotonic()
            await asyncio.sleep(0.02)
        say("received", **judge(self._received))

    async def obey(self, order: dict[str, Any]) -> bool:
        """Carry out one order; return whether there may be more."""
        if order["do"] == "write":
            await self.write(order["count"], order["size"])
        elif order["do"] == "received":
            await self.received(order["count"])
        elif order["do"] == "disconnect":
            watch = Stopwatch()
            await self._client.disconnect()
            say("left", seconds=watch.lap())
            return False
        return True


async def main() -> None:
    """Find, link, obey."""
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    client = BleakClient(
        await find(), lambda _: say("disconnected"), timeout=CONNECT_TIMEOUT, bluez={"adapter": ADAPTER}
    )
    central = Central(client)
    await central.link(bytes.fromhex(sys.argv[1]))
    while line := await orders.readline():
        if not await central.obey(json.loads(line)):
            return


if __name__ == "__main__":
    asyncio.run(main())
