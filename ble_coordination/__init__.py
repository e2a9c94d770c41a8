"""Which program may use which adapter: a service that grants locks on devices, and its client.

Start the service with ``python -m ble_coordination``; use it by `DeviceCoordinationClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .client import DeviceCoordinationClient
from .context import DeviceCoordinationContext
from .device_lock import Action
from .errors import (
    CoordinationError,
    LeaseLapsedError,
    LockLostError,
    LockRefusedError,
    ServiceRefusalError,
    ServiceUnavailableError,
    SettingError,
)
from .held_lock import HeldLock
from .lock_type import LockType
from .updates import Device, LockAnswer, LockHolder, LockUpdate, LockWaiter, Status

if TYPE_CHECKING:
    from .app import create_app

__all__ = [
    "Action",
    "CoordinationError",
    "Device",
    "DeviceCoordinationClient",
    "DeviceCoordinationContext",
    "HeldLock",
    "LeaseLapsedError",
    "LockAnswer",
    "LockHolder",
    "LockLostError",
    "LockRefusedError",
    "LockType",
    "LockUpdate",
    "LockWaiter",
    "ServiceRefusalError",
    "ServiceUnavailableError",
    "SettingError",
    "Status",
    "create_app",
]


def __getattr__(name: str) -> Any:
    """Load the service only where it is run: a client needs neither FastAPI nor a store."""
    if name == "create_app":
        from .app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
