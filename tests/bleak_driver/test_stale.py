"""Which devices bluetoothd is to forget, because it tells what they offered once and not what they advertise."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drivers.bleak_driver.stale import stale_devices

ADAPTER, OURS, OTHER = "/org/bluez/hci0", "37145b00-0000-0000-0000-000000000001", "0000180a-0000-0000-0000-000000000002"
NODE = f"{ADAPTER}/dev_0F_0D_00_00_00_01"


def device(*uuids: str, **properties: bool) -> dict[str, Any]:
    values = {"Connected": False, "Paired": False, "Trusted": False, "UUIDs": list(uuids), **properties}
    return {"org.bluez.Device1": {name: SimpleNamespace(value=value) for name, value in values.items()}}


def objects(what: dict[str, Any], path: str = NODE, *, linked: bool = True) -> dict[str, Any]:
    service: dict[str, Any] = {f"{path}/service0012": {"org.bluez.GattService1": {}}} if linked else {}
    return {ADAPTER: {"org.bluez.Adapter1": {}}, path: what, **service}


def test_a_node_that_had_another_service_is_stale() -> None:
    assert stale_devices(objects(device(OTHER)), ADAPTER, OURS) == [NODE]
    assert stale_devices(objects(device()), ADAPTER, OURS) == [NODE]


@pytest.mark.parametrize(
    "there",
    [
        objects(device(OTHER, OURS.upper())),  # it has ours
        objects(device(OTHER), linked=False),  # what it has is what it advertises
        objects(device(OTHER, Connected=True)),
        objects(device(OTHER, Paired=True)),
        objects(device(OTHER, Trusted=True)),
        objects(device(OTHER), "/org/bluez/hci01/dev_0F_0D_00_00_00_01"),
    ],
)
def test_whoever_is_in_use_or_chosen_or_on_another_adapter_is_kept(there: dict[str, Any]) -> None:
    assert stale_devices(there, ADAPTER, OURS) == []
