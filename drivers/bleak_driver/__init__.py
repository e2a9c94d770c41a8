"""The radio of a real Linux host: BlueZ, with bleak as central and bluezero as GATT server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .driver import BleakDriver

__all__ = ["BleakDriver"]


def __getattr__(name: str) -> Any:
    """Import the driver when it is asked for: what it decides can be looked at without D-Bus and its libraries."""
    if name == "BleakDriver":
        from .driver import BleakDriver

        return BleakDriver
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
