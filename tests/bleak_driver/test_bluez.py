"""What D-Bus and bleak tell of an adapter, without either."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ble_driver import ExclusiveControlManager, LinkError, LinkRaceError, RadioError, VirtualDispatcher
from tests.bleak_driver.without_dbus import without_dbus

PEER = "C0:00:00:00:00:01"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the driver that can be had without dbus-python."""
    with without_dbus(monkeypatch, {}):
        yield SimpleNamespace(
            **{name: importlib.import_module(f"drivers.bleak_driver.{name}") for name in ("bluez", "scanner")}
        )


def test_the_end_of_dbus_in_the_middle_of_a_call_is_trouble_of_the_radio(modules: Any) -> None:
    class Ended:
        connected = True

        async def call(self, _: object) -> None:
            raise EOFError

    async def case() -> None:
        bluez = modules.bluez.BlueZ("hci0", lambda *_: None, lambda _: None)
        bluez._bus = Ended()
        with pytest.raises(RadioError, match="D-Bus gave no answer"):
            await bluez.is_powered()
        assert not await bluez.is_connected(PEER)

    asyncio.run(case())


@pytest.mark.parametrize(("adapter", "told"), [("hci1", [(PEER, True)]), ("hci10", []), ("hci2", [])])
def test_who_connects_to_another_adapter_is_none_of_ours(
    modules: Any, adapter: str, told: list[tuple[str, bool]]
) -> None:
    heard: list[tuple[str, bool]] = []
    bluez = modules.bluez.BlueZ("hci1", lambda *news: heard.append(news), lambda _: None)
    bluez._on_message(
        SimpleNamespace(
            message_type=modules.bluez.MessageType.SIGNAL,
            member="PropertiesChanged",
            path=modules.bluez.device_path(f"/org/bluez/{adapter}", PEER),
            body=[modules.bluez.DEVICE, {"Connected": SimpleNamespace(value=True)}, []],
        )
    )
    assert heard == told


def scanner_of(modules: Any, dispatcher: VirtualDispatcher) -> Any:
    return modules.scanner.Scanner(
        "hci0",
        "37145b00-442d-4a94-917f-8f42c5da28e3",
        modules.scanner.PowerMode.AGGRESSIVE,
        ExclusiveControlManager(),
        dispatcher,
        print,
        print,
    )


@pytest.mark.parametrize(
    ("error", "kind"), [("[org.bluez.Error.InProgress] busy", LinkRaceError), ("no adapter", LinkError)]
)
def test_who_cannot_be_looked_for_cannot_be_dialled(
    modules: Any, monkeypatch: pytest.MonkeyPatch, error: str, kind: type[LinkError]
) -> None:
    async def refuse(_: object) -> None:
        raise modules.scanner.BLEAK_ERRORS[0](error)

    monkeypatch.setattr(modules.scanner.BleakScanner, "start", refuse)
    with VirtualDispatcher() as dispatcher:
        with pytest.raises(kind, match=f"looking for {PEER}") as raised:
            dispatcher.run(scanner_of(modules, dispatcher).find(PEER, 1.0), 10.0)
        assert type(raised.value) is kind


@pytest.mark.parametrize("there", [PEER, "C0:00:00:00:00:02"])
def test_who_is_heard_as_the_scan_begins_is_found(modules: Any, monkeypatch: pytest.MonkeyPatch, there: str) -> None:
    """BlueZ may report a device together with its answer that it scans, and not again."""
    device = SimpleNamespace(address=there)

    async def start(scanner: Any) -> None:
        scanner._backend.call_detection_callbacks(device, None)

    async def stop(_: object) -> None: ...

    monkeypatch.setattr(modules.scanner.BleakScanner, "start", start)
    monkeypatch.setattr(modules.scanner.BleakScanner, "stop", stop)
    with VirtualDispatcher() as dispatcher:
        scanner = scanner_of(modules, dispatcher)
        if there == PEER:
            assert dispatcher.run(scanner.find(PEER, 1.0), 10.0).device is device
            assert scanner.known(PEER) is not None
        else:
            with pytest.raises(LinkError, match=f"{PEER} cannot be heard"):
                dispatcher.run(scanner.find(PEER, 1.0), 10.0)
