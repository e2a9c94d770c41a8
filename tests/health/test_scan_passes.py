"""A scanner in passes, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from ble_driver import ExclusiveControlManager, RadioError, ScanPasses, VirtualDispatcher


class Scanner:
    """A radio that scans, and what it was told."""

    def __init__(self, dispatcher: VirtualDispatcher, **options: float) -> None:
        self.dispatcher = dispatcher
        self.control = ExclusiveControlManager()
        self.told: list[str] = []
        self.failures: list[str] = []
        self.fails_to: str | None = None
        self.passes = ScanPasses(self.control, dispatcher.spawn, self.scan, self.failed, **options)

    @asynccontextmanager
    async def scan(self) -> AsyncIterator[None]:
        await self.command("start")
        try:
            yield
        finally:
            await self.command("stop")

    async def command(self, what: str) -> None:
        if self.fails_to == what:
            raise RadioError(f"cannot {what}")
        await asyncio.sleep(0.1)
        self.told.append(what)

    def failed(self, error: RadioError) -> None:
        self.failures.append(str(error))

    def start(self) -> None:
        self.dispatcher.run(self.passes.start(), 10.0)

    def stop(self) -> None:
        self.dispatcher.run(self.passes.stop(), 10.0)

    async def client(self, seconds: float) -> None:
        async with self.control.client_operation():
            self.told.append("client")
            await asyncio.sleep(seconds)


@pytest.fixture
def dispatcher() -> Iterator[VirtualDispatcher]:
    with VirtualDispatcher() as dispatcher:
        yield dispatcher


def test_it_gives_way_to_clients_and_goes_on_after_them(dispatcher: VirtualDispatcher) -> None:
    scanner = Scanner(dispatcher)
    scanner.start()
    assert scanner.told == ["start"]
    dispatcher.run(scanner.client(5.0), 10.0)
    dispatcher.run_for(1.0)
    assert scanner.told == ["start", "stop", "client", "start"]
    scanner.stop()
    scanner.stop()
    assert scanner.told[-1] == "stop"
    dispatcher.run(scanner.client(1.0), 5.0)  # nothing keeps the adapter
    dispatcher.run_for(10.0)
    assert scanner.told.count("start") == 2
    assert scanner.failures == []


def test_passes_have_a_length_and_a_pause(dispatcher: VirtualDispatcher) -> None:
    scanner = Scanner(dispatcher, on=2.0, off=18.0)
    scanner.start()
    dispatcher.run_for(102.0)
    assert scanner.told.count("start") == 6  # one each 20.2 s
    scanner.stop()
    assert scanner.failures == []


def test_a_start_that_fails_is_the_callers_and_a_pass_that_fails_is_reported_once(
    dispatcher: VirtualDispatcher,
) -> None:
    scanner = Scanner(dispatcher, on=1.0)
    scanner.fails_to = "start"
    with pytest.raises(RadioError, match="cannot start"):
        scanner.start()
    assert scanner.failures == []
    scanner.fails_to = None
    scanner.start()
    scanner.fails_to = "start"
    dispatcher.run_for(10.0)
    assert scanner.failures == ["cannot start"]
    dispatcher.run(scanner.client(1.0), 5.0)  # a scan that has failed does not keep the adapter
    scanner.fails_to = None
    scanner.start()
    scanner.fails_to = "stop"
    dispatcher.run_for(10.0)
    assert scanner.failures == ["cannot start", "cannot stop"]
    dispatcher.run(scanner.client(1.0), 5.0)


def test_a_start_that_is_cancelled_while_it_waits_leaves_no_scan(dispatcher: VirtualDispatcher) -> None:
    scanner = Scanner(dispatcher)
    client = dispatcher.submit(scanner.client(100.0))
    dispatcher.run_for(0.1)
    with pytest.raises(TimeoutError):
        dispatcher.run(scanner.passes.start(), 5.0)
    dispatcher.run_for(200.0)
    assert client.done()
    assert scanner.told == ["client"]
    assert not scanner.control.get_status()["scan_ready"]
