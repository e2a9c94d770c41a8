"""A connection that notifies, and a manager on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ble_driver import VirtualDispatcher
from ble_driver.notifications import NotificationManager, Subscription

TX, OTHER = "37145b00-442d-4a94-917f-8f42c5da28e4", "2A19"


class Client:
    """A connection that notes what it is told, and refuses, hangs or dawdles when it is to."""

    def __init__(self, delay: float = 0.1) -> None:
        self.calls: list[str] = []
        self.callbacks: dict[str, Callable[[Any, bytearray], None]] = {}
        self.delay = delay
        self.fails: set[str] = set()
        self.in_flight: set[str] = set()
        self.overlapped = False

    async def start_notify(self, characteristic: str, callback: Callable[[Any, bytearray], None]) -> None:
        await self._call("start", characteristic)
        assert characteristic not in self.callbacks, "started twice"
        self.callbacks[characteristic] = callback

    async def stop_notify(self, characteristic: str) -> None:
        await self._call("stop", characteristic)
        del self.callbacks[characteristic]

    async def _call(self, what: str, characteristic: str) -> None:
        self.overlapped |= characteristic in self.in_flight
        self.in_flight.add(characteristic)
        try:
            self.calls.append(f"{what} {characteristic}")
            await asyncio.sleep(self.delay)
            if what in self.fails:
                raise OSError(f"{what} refused")
        finally:
            self.in_flight.discard(characteristic)

    def notify(self, characteristic: str, data: bytes) -> None:
        self.callbacks[characteristic](object(), bytearray(data))


class World:
    def __init__(self) -> None:
        self.dispatcher = VirtualDispatcher()
        self.manager = NotificationManager()
        self.client = Client()
        self.heard: list[tuple[str, bytes]] = []
        self.wait = self.dispatcher.run_for

    def hear(self, characteristic: str, data: bytes) -> None:
        self.heard.append((characteristic, data))

    def connect(self, client: Client | None = None) -> Client:
        self.client = client or Client()
        self.dispatcher.loop.call_soon(self.manager.on_connected, self.client)
        self.wait(0.0)
        return self.client

    def run(self, *awaitables: Any) -> list[Any]:
        async def together() -> list[Any]:
            return await asyncio.gather(*awaitables, return_exceptions=True)

        return self.dispatcher.loop.run_until_complete(together())


async def awaited(subscription: Subscription) -> Subscription:
    return await subscription
