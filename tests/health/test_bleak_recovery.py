"""`BleakDriver` and a bluetoothd that hangs, with everything below the driver replaced: D-Bus is not needed here.

The real thing is tests/bluez/scenarios/watchdog.py.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ble_driver import RadioError
from drivers.bleak_driver.power import power_cycle, strangers
from tests.bleak_driver.without_dbus import without_dbus
from tests.health.uuids import UUIDS

SERVICE = UUIDS[0]
ADAPTER = "/org/bluez/hci0"
#: What is claimed: no other run of these tests on this machine may have it.
OURS = f"hci{os.getpid()}"


def value(content: object) -> SimpleNamespace:
    return SimpleNamespace(value=content)


def device(name: str | None, *uuids: str, connected: bool = True) -> dict[str, Any]:
    properties = {"Connected": value(connected), "UUIDs": value(list(uuids))}
    if name is not None:
        properties["Alias"] = value(name)
    return {"org.bluez.Device1": properties}


class Bluetoothd:
    """What answers behind the fakes, or does not."""

    def __init__(self) -> None:
        self.hangs = False
        self.objects: dict[str, Any] = {ADAPTER: {"org.bluez.Adapter1": {}}}
        self.calls: list[str] = []
        self.nodes: set[str] = set()
        self.open_connections = 0

    async def obey(self, what: str) -> None:
        self.calls.append(what)
        while self.hangs:  # noqa: ASYNC110 - nobody sets an event
            await asyncio.sleep(0.01)


class FakeBlueZ:
    daemon: Bluetoothd
    adapter, path, address, address_type = "hci0", ADAPTER, "00:11:22:33:44:55", "public"

    def __init__(self, *_: Any) -> None: ...

    async def open(self, *_: Any, **__: Any) -> None:
        self.daemon.open_connections += 1
        await self.daemon.obey("open")

    async def close(self) -> None:
        self.daemon.open_connections -= 1

    def is_dialling(self, _: str) -> bool:
        return False

    async def daemon_pid(self) -> int:
        return 0

    async def forget(self, address: str, *, unless_it_offers: str = "") -> None:
        self.daemon.calls.append(f"forget {address} unless it offers {unless_it_offers}")

    async def ping(self) -> None: ...

    async def disconnect(self, _: str) -> None:
        await self.daemon.obey("disconnect")

    async def mtu_of(self, _: str) -> int:
        return 517

    async def is_powered(self) -> bool:
        await self.daemon.obey("ask")
        return True

    async def objects(self) -> dict[str, Any]:
        return self.daemon.objects

    async def set_powered(self, on: bool) -> None:
        await self.daemon.obey(f"power {'on' if on else 'off'}")


class Part:
    """The GATT server, the scanner or the central."""

    daemon: Bluetoothd

    def __init__(self, *_: Any) -> None: ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def close_all(self) -> None: ...

    async def start(self) -> None:
        await self.daemon.obey("scan")

    async def stop(self) -> None:
        await self.daemon.obey("unscan")

    async def stop_advertising(self) -> None: ...

    async def hear_out(self) -> None:
        await self.daemon.obey("hear out")

    def known(self, address: str) -> str | None:
        return address if address in self.daemon.nodes else None

    async def advertise(self, _: str | None) -> None: ...


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bluetoothd]:
    daemon = FakeBlueZ.daemon = Part.daemon = Bluetoothd()
    with without_dbus(monkeypatch, {"drivers.bleak_driver.gatt_server": {"GattServer": Part}}):
        module: Any = importlib.import_module("drivers.bleak_driver.driver")
        for name, fake in {"BlueZ": FakeBlueZ, "GattServer": Part, "Scanner": Part, "Central": Part}.items():
            monkeypatch.setattr(module, name, fake)
        monkeypatch.setattr(module.bearers, "complaint", lambda _: None)
        monkeypatch.setattr(module, "PARTING_TIME", 0.1)
        monkeypatch.setattr("drivers.bleak_driver.power.OFF_TIME", 0.01)
        for name, seconds in {"CHECK_TIME": 0.2, "OPEN_TIME": 0.2, "CLOSE_TIME": 0.4, "COMMAND_TIME": 0.2}.items():
            monkeypatch.setattr(f"ble_driver.base_driver.control.{name}", seconds)
        for name, seconds in {"LOOK_INTERVAL": 0.1, "COMMAND_TIME": 0.2, "RETRY_MAX": 0.05}.items():
            monkeypatch.setattr(f"ble_driver.base_driver.health.{name}", seconds)
        yield daemon


@pytest.fixture
def driver(daemon: Bluetoothd) -> Iterator[Any]:
    driver = sys.modules["drivers.bleak_driver.driver"].BleakDriver(adapter=OURS, connect_timeout=0.1)
    driver.errors = []
    driver.on_error = lambda error: driver.errors.append(str(error))
    driver.start(*UUIDS)
    driver.start_scanning()
    eventually(lambda: driver.get_status()["state"] == ["scanning"])
    yield driver
    daemon.hangs = False
    driver.stop()
    assert daemon.open_connections == 0


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_bluetoothd_that_hangs_is_told_of_and_used_again_when_it_answers(driver: Any, daemon: Bluetoothd) -> None:
    eventually(lambda: daemon.calls.count("ask") > 2)
    assert driver.errors == []
    daemon.hangs = True
    eventually(lambda: len(driver.errors) == 3)
    recovery = driver.get_status()["recovery"]
    assert (recovery["driver_restarts"], recovery["power_cycles"]) == (1, 1)
    assert recovery["reports"] >= 1
    assert driver.errors[0] == "the radio did not answer within 0.2 s; it is opened anew"
    assert "sudo systemctl restart bluetooth; if that does not help, pull the adapter out" in driver.errors[2]
    assert driver.get_status()["state"] == []
    daemon.hangs = False
    eventually(lambda: driver.get_status()["state"] == ["scanning"])
    assert daemon.open_connections == 1  # none was left behind
    assert driver.get_status()["error"] is None


def test_a_second_driver_is_told_who_has_the_adapter_and_has_it_afterwards(driver: Any, daemon: Bluetoothd) -> None:
    second = type(driver)(adapter=OURS)
    errors: list[str] = []
    second.on_error = lambda error: errors.append(str(error))
    second.start(*UUIDS)
    second.start_scanning()
    try:
        eventually(lambda: errors)
        assert errors[0].startswith(f"the adapter {OURS} is held by process {os.getpid()} (")
        assert "it is awaited: end that program, or use another adapter" in errors[0]
        assert daemon.calls.count("open") == 1  # nothing was touched
        driver.stop()
        eventually(lambda: second.get_status()["state"] == ["scanning"])
        assert len(errors) == 1
    finally:
        second.stop()


def test_a_node_without_our_service_is_forgotten_with_its_link(driver: Any, daemon: Bluetoothd) -> None:
    stranger, node = "0F:0D:00:00:00:01", "0F:0D:00:00:00:02"
    daemon.nodes.add(node)
    for address in (stranger, node):
        for connected in (True, False):
            driver._dispatcher.call_soon(driver._on_device_connection, address, connected)
    eventually(lambda: f"forget {node} unless it offers {SERVICE}" in daemon.calls)
    assert not any(call.startswith(f"forget {stranger}") for call in daemon.calls)


@pytest.mark.parametrize("who_ends", ["the central", "we"])
def test_what_a_central_wrote_before_its_end_is_of_its_link(
    driver: Any, daemon: Bluetoothd, monkeypatch: pytest.MonkeyPatch, who_ends: str
) -> None:
    """Writes and the news that a central is gone come by two connections to D-Bus, in any order."""
    address, obey = "0F:0D:00:00:00:01", daemon.obey
    told: list[object] = []
    on_its_way = [b"late"]
    driver.on_device_connected = lambda address, _: told.append("connected")
    driver.on_device_disconnected = lambda address: told.append("disconnected")
    driver.on_data_received = lambda address, frame: told.append(frame)

    def write(frame: bytes) -> None:
        driver._on_write(f"{ADAPTER}/dev_{address.replace(':', '_')}", 517, frame)

    def leave() -> None:
        driver._on_device_connection(address, False)
        driver._on_device_connection(address, True)

    async def late(what: str) -> None:
        await obey(what)
        if what == "disconnect":
            driver._dispatcher.call_soon(leave)
        if what == "hear out":
            await asyncio.sleep(0.05)
            while on_its_way:
                write(on_its_way.pop())

    monkeypatch.setattr(daemon, "obey", late)
    driver._dispatcher.call_soon(write, b"early")
    eventually(lambda: told)
    if who_ends == "we":
        driver.disconnect(address)
    else:
        driver._dispatcher.call_soon(leave)
    eventually(lambda: "disconnected" in told)
    driver._dispatcher.call_soon(write, b"new")
    eventually(lambda: b"new" in told)
    assert told == ["connected", b"early", b"late", "disconnected", "connected", b"new"]


def test_a_controller_that_hangs_is_power_cycled(driver: Any, daemon: Bluetoothd, monkeypatch: Any) -> None:
    obey = daemon.obey

    async def until_power_is_switched(what: str) -> None:
        if what in ("scan", "ask", "unscan") and "power on" not in daemon.calls:
            daemon.calls.append(what)
            await asyncio.sleep(3600)
        await obey(what)

    monkeypatch.setattr(daemon, "obey", until_power_is_switched)
    eventually(lambda: "power on" in daemon.calls)
    eventually(lambda: driver.get_status()["state"] == ["scanning"])
    assert daemon.calls.index("power off") + 1 == daemon.calls.index("power on")


def test_headphones_keep_the_adapter_on_and_the_report_says_so(
    driver: Any, daemon: Bluetoothd, monkeypatch: Any
) -> None:
    daemon.objects[f"{ADAPTER}/dev_1"] = device("Headphones", "0000110b-0000-1000-8000-00805f9b34fb")
    hanging, obey = True, daemon.obey

    async def hang(what: str) -> None:
        if what != "open" and hanging:
            await asyncio.sleep(3600)
        await obey(what)

    monkeypatch.setattr(daemon, "obey", hang)
    eventually(lambda: any("whatever was tried" in error for error in driver.errors))
    hanging = False
    told = next(error for error in driver.errors if "whatever was tried" in error)
    assert "(it was not reset: Headphones would lose the link" in told
    assert not [call for call in daemon.calls if call.startswith("power")]


def test_strangers_are_those_who_are_connected_here_without_our_service() -> None:
    objects = {
        ADAPTER: {"org.bluez.Adapter1": {}},
        f"{ADAPTER}/dev_1": device("a peer", SERVICE.upper()),
        f"{ADAPTER}/dev_2": device("a keyboard", "1812"),
        f"{ADAPTER}/dev_3": device("gone", "1812", connected=False),
        f"{ADAPTER}/dev_4": device(None),
        f"{ADAPTER}/dev_4/service": {"org.bluez.GattService1": {}},
        "/org/bluez/hci01/dev_5": device("on another adapter"),
    }
    assert strangers(objects, ADAPTER, SERVICE) == ["a keyboard", "dev_4"]


def test_an_adapter_with_a_stranger_is_not_switched() -> None:
    bluez = FakeBlueZ()
    bluez.daemon = Bluetoothd()
    bluez.daemon.objects[f"{ADAPTER}/dev_2"] = device("a keyboard", "1812")
    with pytest.raises(RadioError, match="a keyboard would lose the link"):
        asyncio.run(power_cycle(bluez, SERVICE))
    assert bluez.daemon.calls == []
