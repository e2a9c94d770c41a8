"""A manager on virtual time, with clients and scanners that use it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, TypeVar

from ble_driver import VirtualDispatcher
from ble_driver.exclusive_control import ExclusiveControlManager

T = TypeVar("T")
IDLE = {
    "enabled": True,
    "scanner_stopping": False,
    "client_connecting": False,
    "scan_ready": False,
    "exclusive_control_duration": 0.0,
}


class World:
    """A manager on virtual time, and what happened there."""

    def __init__(self) -> None:
        self.dispatcher = VirtualDispatcher()
        self.manager = ExclusiveControlManager()
        self.events: list[str] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.dispatcher.loop.run_until_complete(coroutine)

    def begin(self, coroutine: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        return self.dispatcher.loop.create_task(coroutine)

    async def client(self, name: str, seconds: float = 1.0, timeout: float | None = None) -> None:
        async with self.manager.client_operation(timeout):
            self.events.append(f"{name} on")
            await asyncio.sleep(seconds)
            self.events.append(f"{name} off")

    async def scanner(self, stop_takes: float = 0.5, passes: int = 1000) -> None:
        for _ in range(passes):
            async with self.manager.scan_pass(math.inf) as turn:
                self.events.append("scan on")
                await turn.wait_for_stop()
                await asyncio.sleep(stop_takes)
                self.events.append("scan off")
