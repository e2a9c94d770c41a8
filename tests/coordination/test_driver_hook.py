"""A driver that shares its adapter: what it does when the lock is lost, comes back, or cannot be asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ble_coordination import DeviceCoordinationClient
from ble_driver import (
    AdapterLockError,
    BLEDriverError,
    DriverState,
    InvalidOptionError,
    MissingExtraError,
    adapter_lock,
    create_driver,
)
from ble_interface import IDENTITY_CHAR_UUID, RX_CHAR_UUID, SERVICE_UUID, TX_CHAR_UUID
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir

from .processes import ROOT, Service, ask, free_port, service, take, until

BOTH = DriverState.SCANNING | DriverState.ADVERTISING


class Nodes:
    """A driver that shares its adapter, and a peer that has its own; both on one air, in real time."""

    def __init__(self, **options: Any) -> None:
        self.air = VirtualAir()
        self.shared = MockBLEDriver(self.air, coordination_device="hci0", **options)
        self.peer = MockBLEDriver(self.air)
        self.errors: list[BLEDriverError] = []
        self.events: list[str] = []
        self.shared.on_error = self.errors.append
        self.shared.on_device_connected = lambda address, mtu: self.events.append("connected")
        self.shared.on_device_disconnected = lambda address: self.events.append("disconnected")
        for driver, byte in ((self.shared, b"s"), (self.peer, b"p")):
            driver.set_identity(byte * 16)
            driver.start(SERVICE_UUID, RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID)
            driver.start_scanning()
            driver.start_advertising()

    def says(self, text: str) -> None:
        until(lambda: any(text in str(error) for error in self.errors), f"{text} is said")
        assert all(isinstance(error, AdapterLockError) for error in self.errors)

    def link(self) -> None:
        """Link both, which takes a radio."""
        self.shared.connect(self.peer.address)
        until(lambda: self.shared.connected_peers and self.peer.connected_peers, "they link")

    def close(self) -> None:
        self.shared.stop()
        self.peer.stop()
        self.air.dispatcher.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def nodes(stack: ExitStack, **options: Any) -> Nodes:
    made = Nodes(**options)
    stack.callback(made.close)
    return made


def holder(url: str) -> dict[str, Any]:
    found = ask(f"{url}/api/locks/device/hci0")[1]["holder"]
    return found or {}


def release(url: str, lock: dict[str, Any]) -> None:
    body = {"device_name": "hci0", "lock_key": lock["lock_key"]}
    assert ask(f"{url}/api/lock/release", body)[1]["success"]


def test_it_holds_the_lock_while_it_runs(stack: ExitStack, sqlite_served: Service) -> None:
    both = nodes(stack, coordination=sqlite_served.url)
    until(lambda: both.shared.state == BOTH, "it works")
    held = holder(sqlite_served.url)
    assert held["user_id"].startswith("MockBLEDriver ")
    assert held["lock_type"] == "QUEUE_QUEUED"
    both.shared.stop()
    assert holder(sqlite_served.url) == {}
    both.shared.start(SERVICE_UUID, RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID)
    until(lambda: holder(sqlite_served.url), "it has the lock again")
    assert both.errors == []


def test_maintenance_pauses_it_and_the_end_of_that_resumes_it(stack: ExitStack, sqlite_served: Service) -> None:
    both = nodes(stack, coordination=DeviceCoordinationClient(sqlite_served.url))
    both.link()
    lock = take(sqlite_served.url, kind="MAINTENANCE", user="ann", timeout=60)
    both.says("ann took it: overridden by MAINTENANCE; the adapter is left alone until it is free")
    until(lambda: both.shared.state == DriverState.IDLE, "it does nothing")
    until(lambda: both.peer.connected_peers == [], "the peer knows that the link has ended")
    assert both.shared.connected_peers == []
    assert both.events == ["connected", "disconnected"]
    both.says("hci0 is held by ann (MAINTENANCE)")
    release(sqlite_served.url, lock)
    until(lambda: both.shared.state == BOTH, "it works again, as nobody has told it to stop")
    both.link()


def test_what_is_asked_for_while_it_is_paused_is_done_afterwards(stack: ExitStack, sqlite_served: Service) -> None:
    lock = take(sqlite_served.url, kind="MAINTENANCE", user="ann", timeout=60)
    both = nodes(stack, coordination=sqlite_served.url)
    both.says("held by ann")
    both.shared.stop_scanning()
    assert both.shared.state == DriverState.IDLE
    release(sqlite_served.url, lock)
    until(lambda: both.shared.state == DriverState.ADVERTISING, "it advertises, and does not scan")


def test_required_leaves_the_adapter_alone_while_the_service_is_away(stack: ExitStack, tmp_path: Path) -> None:
    port = free_port()
    both = nodes(stack, coordination=f"http://127.0.0.1:{port}")
    both.says("the adapter is not used without its lock, and no answer from")
    assert both.shared.state == DriverState.IDLE
    stack.enter_context(service("--store", f"sqlite:{tmp_path / 'locks.db'}", port=port))
    until(lambda: both.shared.state == BOTH, "it begins by itself")


def test_advisory_uses_it_and_says_so(stack: ExitStack, tmp_path: Path) -> None:
    port = free_port()
    both = nodes(stack, coordination=f"http://127.0.0.1:{port}", coordination_mode="advisory")
    both.says("the adapter is used without its lock: no answer from")
    until(lambda: both.shared.state == BOTH, "it works")
    # Once there is a service, what that says counts.
    started = stack.enter_context(service("--store", f"sqlite:{tmp_path / 'locks.db'}", port=port))
    take(started.url, kind="MAINTENANCE", user="ann", timeout=60)
    both.says("ann")
    until(lambda: both.shared.state == DriverState.IDLE, "it does nothing")


@pytest.mark.parametrize("mode", ["required", "advisory"])
def test_a_service_that_dies_while_it_runs(
    stack: ExitStack, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter_lock, "LEASE", 1.5)
    store, port = f"sqlite:{tmp_path / 'locks.db'}", free_port()
    first = stack.enter_context(service("--store", store, port=port))
    both = nodes(stack, coordination=first.url, coordination_mode=mode)
    both.link()
    first.kill()
    if mode == "required":
        both.says("did not answer before the lease was over")
        until(lambda: both.shared.state == DriverState.IDLE, "it does nothing")
    else:
        both.says("used without its lock")
        assert both.shared.state == BOTH
        assert both.events == ["connected"]
    second = stack.enter_context(service("--store", store, port=port))
    until(lambda: holder(second.url), "it has the lock again")
    until(lambda: both.shared.state == BOTH, "it works")


def test_a_service_that_is_restarted_goes_unnoticed(stack: ExitStack, tmp_path: Path) -> None:
    store, port = f"sqlite:{tmp_path / 'locks.db'}", free_port()
    first = stack.enter_context(service("--store", store, port=port))
    both = nodes(stack, coordination=first.url)
    both.link()
    number = holder(first.url)["fencing_number"]
    first.kill()
    second = stack.enter_context(service("--store", store, port=port))
    until(lambda: holder(second.url)["expires_in"] > 14, "it is renewed")
    assert holder(second.url)["fencing_number"] == number
    assert both.events == ["connected"]
    assert both.errors == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"coordination": "redis://x"}, "http://127.0.0.1:60620"),
        ({"coordination": 7}, "a URL or a DeviceCoordinationClient"),
        ({"coordination_mode": "maybe"}, "required, advisory"),
        ({"coordination_device": 7}, "coordination_device must be a name"),
    ],
    ids=str,
)
def test_options_that_cannot_be(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidOptionError, match=says):
        create_driver("mock", air=VirtualAir(), **options)


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ble_coordination", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ble-interface\[coordination\]'"):
        MockBLEDriver(VirtualAir(), coordination="http://127.0.0.1:60620")


def test_who_does_not_share_loads_nothing_of_it() -> None:
    program = (
        "import sys, ble_driver, drivers.mock_ble_driver as m; m.MockBLEDriver(m.VirtualAir()); "
        "assert not {'ble_coordination', 'httpx', 'websockets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_a_client_loads_nothing_of_the_service() -> None:
    program = "import sys, ble_coordination; assert not {'fastapi', 'uvicorn', 'redis', 'sqlite3'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
