"""A node on the host, without kernel or BlueZ, on the same air as the guests."""

from __future__ import annotations

import asyncio
from typing import Any

from ble_driver import SendQueueFull
from drivers.bumble_driver import BumbleDriver

from .guest_side.wire import UUIDS
from .waiting import POLL, until

#: Seconds that a radio daemon may take to answer.
START_TIMEOUT = 10.0


class BumblePeer:
    """A `BumbleDriver` whose callbacks can be awaited.

    Attributes:
        driver: the driver itself.
        frames: what arrived, in order, as address and bytes.
    """

    def __init__(self, radio: str, identity: bytes, **options: Any) -> None:
        self.driver = BumbleDriver(radio=radio, **options)
        self.identity = identity
        self.frames: list[tuple[str, bytes]] = []
        self._events: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        driver = self.driver
        driver.set_identity(identity)
        driver.on_device_discovered = lambda device: self._put("discovered", device.address)
        driver.on_device_connected = lambda address, mtu: self._put("connected", address, mtu)
        driver.on_device_disconnected = lambda address: self._put("disconnected", address)
        driver.on_connection_failed = lambda address, error: self._put("failed", address, str(error))
        driver.on_error = lambda error: self._put("error", str(error))
        driver.on_data_received = lambda address, data: self._loop.call_soon_threadsafe(
            self.frames.append, (address, data)
        )

    def _put(self, *event: Any) -> None:
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def start(self) -> None:
        """Bring it up."""
        self.driver.start(*UUIDS)
        await until(lambda: self.driver.local_address, START_TIMEOUT, lambda: "the bumble peer has no radio")

    async def stop(self) -> None:
        """Take it down."""
        await asyncio.to_thread(self.driver.stop)

    @property
    def address(self) -> str:
        """The address that others see."""
        address = self.driver.local_address
        assert address is not None, "not started"
        return address

    async def expect(self, kind: str, timeout: float, *details: object) -> tuple[Any, ...]:
        """Return the next event of this kind that begins with these details; others that come before are dropped.

        Raises:
            TimeoutError: it does not come; the message says what came instead.
        """
        seen: list[tuple[Any, ...]] = []
        try:
            async with asyncio.timeout(timeout):
                while True:
                    event = await self._events.get()
                    if event[: 1 + len(details)] == (kind, *details):
                        return event[1:]
                    seen.append(event)
        except TimeoutError:
            raise TimeoutError(f"the bumble peer reports no {(kind, *details)} within {timeout:g} s: {seen}") from None

    async def expect_frames(self, count: int, timeout: float) -> list[bytes]:
        """Return the frames that have arrived once there are this many."""
        await until(lambda: len(self.frames) >= count, timeout, lambda: f"{len(self.frames)} of {count} frames")
        return [frame for _, frame in self.frames]

    async def send(self, address: str, frame: bytes, timeout: float = 10.0) -> None:
        """Queue a frame, waiting for room."""
        async with asyncio.timeout(timeout):
            while True:
                try:
                    self.driver.send(address, frame)
                except SendQueueFull:
                    await asyncio.sleep(POLL)
                else:
                    return
