"""Reticulum and its configuration."""

from __future__ import annotations

import importlib.metadata
import re
from typing import Any

from ble_driver import BLEDriverError, driver_class
from ble_interface import BLEInterfaceError

from ..reticulum_config.places import FILE_NAME, IMPORT_LINE
from .finding import Finding, failed, ok, skipped, warning
from .host import Host
from .installation import importable

INSTALL = "ble-interface install-reticulum"


def installed(host: Host) -> Finding:
    """Is Reticulum here, in a version that we know?"""
    try:
        version = importlib.metadata.version("rns")
    except importlib.metadata.PackageNotFoundError:
        return warning(
            "Reticulum is not installed in this Python; only nodes of Reticulum need it",
            "pip install 'ble-interface[reticulum]'",
        )
    if not importable("RNS"):
        return failed(f"rns {version} is installed but cannot be imported", "pip install --force-reinstall rns")
    if not (1, 4, 2) <= _numbers(version) < (2,):
        return failed(f"rns {version} is not one that this works with", "pip install 'ble-interface[reticulum]'")
    return ok(f"rns {version}")


def interface_file(host: Host) -> Finding:
    """Is the file in place by which Reticulum finds the interface?"""
    if not (host.reticulum / "config").is_file():
        return skipped(f"there is no configuration in {host.reticulum}")
    path = host.reticulum / "interfaces" / FILE_NAME
    if not path.is_file():
        return warning(f"{path} is missing: Reticulum does not know the interface without it", INSTALL)
    if IMPORT_LINE not in path.read_text(errors="replace"):
        return warning(f"{path} is not ours, so Reticulum loads another BLEInterface", f"move it away, then: {INSTALL}")
    return ok(str(path))


def section(host: Host) -> Finding:
    """Does Reticulum's configuration have a section for the interface, and does it make sense?"""
    path = host.reticulum / "config"
    if not path.is_file():
        return skipped(f"there is no configuration in {host.reticulum}")
    if not importable("RNS"):
        return skipped("Reticulum is not installed in this Python")
    from RNS.vendor.configobj import ConfigObj, ConfigObjError

    try:
        interfaces = ConfigObj(str(path), encoding="utf-8").get("interfaces", {})
    except (ConfigObjError, UnicodeDecodeError) as error:
        return failed(f"Reticulum cannot read {path}: {error}", f"correct that line of {path}")
    ours = {name: part for name, part in interfaces.items() if part.get("type") == "BLEInterface"}
    if not ours:
        return warning(f"{path} has no interface of the type BLEInterface", INSTALL)
    on = {name: part for name, part in ours.items() if _is_on(part)}
    if not on:
        return warning(
            f"[[{next(iter(ours))}]] in {path} is not enabled", f"write enabled = yes in that section of {path}"
        )
    for name, part in on.items():
        if (wrong := _wrong_with(name, part)) is not None:
            return failed(f"[[{name}]] in {path} does not load: {wrong}", f"correct that section of {path}")
    return ok(f"{', '.join(f'[[{name}]]' for name in on)} in {path}")


def _wrong_with(name: str, part: Any) -> str | None:
    from ble_interface.reticulum import read_section

    if "driver" not in part:
        return "it does not set driver"
    try:
        read_section({**part, "name": name}, driver_class(part["driver"]))
    except (BLEDriverError, BLEInterfaceError) as error:
        return str(error)
    return None


def _is_on(part: Any) -> bool:
    words = (str(part.get(key, "no")).lower() for key in ("enabled", "interface_enabled"))
    return any(word in ("yes", "true", "on", "1") for word in words)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
