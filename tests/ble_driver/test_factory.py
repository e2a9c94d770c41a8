"""Drivers by name, options by type, errors by what to change."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from typing import Any

import pytest

from ble_driver import (
    BLEDriverError,
    BLEDriverInterface,
    InvalidOptionError,
    MissingExtraError,
    UnknownDriverError,
    available_drivers,
    create_driver,
    driver_class,
)
from ble_driver.options import options_of, parse_option, text_options_of
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir


def test_a_driver_is_made_by_name() -> None:
    driver = create_driver("mock", air=VirtualAir(), mtu=185)
    assert isinstance(driver, MockBLEDriver)
    assert driver.mtu == 185
    assert {"bleak", "bumble", "mock"} <= set(available_drivers())


def test_an_unknown_driver_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(UnknownDriverError, match="no driver is called 'mok': did you mean 'mock'"):
        create_driver("mok")
    with pytest.raises(UnknownDriverError, match="it has: bleak, bumble, mock"):
        create_driver("zigbee")


def test_an_unknown_or_missing_option_is_named() -> None:
    with pytest.raises(InvalidOptionError, match="driver 'mock' has no option 'mtuu': did you mean 'mtu'"):
        create_driver("mock", air=VirtualAir(), mtuu=23)
    with pytest.raises(InvalidOptionError, match="driver 'mock' needs the option 'air'"):
        create_driver("mock")


class _EntryPoint:
    """An entry point of a package that is not really installed."""

    name = "other"
    dist: Any = None

    def __init__(self, loaded: object) -> None:
        self._loaded = loaded

    def load(self) -> object:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


class _Distribution:
    name = "other-radio"
    metadata = importlib.metadata.metadata("ble-interface")


def _install(monkeypatch: pytest.MonkeyPatch, entry: _EntryPoint) -> None:
    monkeypatch.setattr("ble_driver.factory.entry_points", lambda group: [entry])


def test_a_driver_of_another_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, _EntryPoint(MockBLEDriver))
    assert available_drivers() == ["other"]
    assert driver_class("other") is MockBLEDriver


def test_a_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = _EntryPoint(ModuleNotFoundError("No module named 'bumble'", name="bumble"))
    entry.name, entry.dist = "bumble", _Distribution
    _install(monkeypatch, entry)
    with pytest.raises(MissingExtraError, match=r"No module named 'bumble'.*pip install 'other-radio\[bumble\]'"):
        create_driver("bumble")
    entry.name = "other"
    with pytest.raises(MissingExtraError, match="driver 'other' cannot be loaded: No module named 'bumble'"):
        create_driver("other")


def test_an_entry_point_that_is_no_driver_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, _EntryPoint(dict))
    with pytest.raises(BLEDriverError, match="no BLEDriverInterface"):
        create_driver("other")


def test_imports_need_no_extra() -> None:
    """The core loads none of the optional libraries."""
    code = (
        "import sys, ble_driver, ble_interface, drivers.mock_ble_driver\n"
        "print([m for m in ('bumble', 'RNS', 'LXMF', 'bleak', 'bluezero', 'dbus') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


class _Options:
    def __init__(
        self, *, name: str = "x", ratio: float = 0.5, count: int | None = None, loud: bool = False, radio: object = None
    ) -> None:
        """Options of every kind."""


def test_options_are_read_from_signatures() -> None:
    assert list(options_of(_Options)) == ["name", "ratio", "count", "loud", "radio"]
    assert list(text_options_of(_Options)) == ["name", "ratio", "count", "loud"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("name", "7", "7"), ("ratio", "2", 2.0), ("count", "7", 7), ("loud", "Yes", True), ("loud", "off", False)],
)
def test_text_becomes_what_the_option_is(name: str, text: str, value: object) -> None:
    assert parse_option(name, text, options_of(_Options)[name]) == value


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [("ratio", "half", "a number"), ("count", "2.5", "a whole number"), ("loud", "maybe", "yes or no")],
)
def test_text_that_does_not_fit_is_refused(name: str, text: str, hint: str) -> None:
    with pytest.raises(InvalidOptionError, match=f"{name} must be {hint}, not '{text}'"):
        parse_option(name, text, options_of(_Options)[name])


def test_the_contract_cannot_be_half_fulfilled() -> None:
    class Half(BLEDriverInterface):
        def stop(self) -> None:
            """The only method it has."""

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]
