"""When the interface starts and when it does not, without a Reticulum that runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import RNS

from ble_interface import reticulum as module
from ble_interface.reticulum import ReticulumBLEInterface
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir


class OnMock(ReticulumBLEInterface):
    """The interface, on an air of its own."""

    def create_driver(self, name: str, options: dict[str, Any]) -> MockBLEDriver:
        return MockBLEDriver(VirtualAir())


@pytest.fixture
def interface(monkeypatch: pytest.MonkeyPatch) -> Iterator[OnMock]:
    monkeypatch.setattr(RNS.Transport, "identity", None)
    monkeypatch.setattr(RNS.Reticulum, "get_instance", staticmethod(MagicMock))  # the base class asks it for defaults
    monkeypatch.setattr(module, "_forward_logs_once", lambda: None)  # for good, and pytest wants them
    interface = OnMock(RNS.Transport, {"name": "BLE", "driver": "mock", "status_socket": "no"})
    yield interface
    interface.detach()
    interface._ble.stop()


def test_it_starts_when_the_identity_is_there(interface: OnMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RNS.Transport, "identity", SimpleNamespace(hash=b"I" * 16))
    interface._start_with_identity()
    assert interface.online
    assert interface._ble.identity == b"I" * 16
    interface.detach()
    assert not interface.online
    assert interface._ble.identity is None


def test_what_is_detached_while_it_waits_for_the_identity_does_not_start(
    interface: OnMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        """Both at once, as when Reticulum is ended just as it has begun."""
        interface.detach()
        RNS.Transport.identity = SimpleNamespace(hash=b"I" * 16)

    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=sleep))
    thread = threading.Thread(target=interface._start_with_identity)
    thread.start()
    thread.join(5)
    assert not interface.online
    assert interface._ble.identity is None
