"""All checks under their names, which scripts rely on."""

from __future__ import annotations

from . import adapter, bluetoothd, installation, kernel, reticulum
from .run import Check

CHECKS: dict[str, Check] = {
    "python": installation.python,
    "bleak": installation.bleak,
    "bumble": installation.bumble,
    "dbus": bluetoothd.dbus,
    "bluetoothd": bluetoothd.running,
    "dbus-policy": bluetoothd.policy,
    "bluez-version": bluetoothd.version,
    "att-bearers": bluetoothd.att_bearers,
    "kernel-adapter": kernel.adapter,
    "rfkill": kernel.rfkill,
    "adapter": adapter.present,
    "powered": adapter.powered,
    "roles": adapter.roles,
    "advertising": adapter.advertising,
    "in-use": adapter.in_use,
    "reticulum": reticulum.installed,
    "reticulum-file": reticulum.interface_file,
    "reticulum-config": reticulum.section,
}
