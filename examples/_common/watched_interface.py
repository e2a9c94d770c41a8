"""Our interface for Reticulum, whose radio tells its troubles as events of the node."""

from __future__ import annotations

from typing import Any

from reticulum_node import emit

from ble_driver import BLEDriverError, BLEDriverInterface
from ble_interface.reticulum import ReticulumBLEInterface


class WatchedInterface(ReticulumBLEInterface):
    def create_driver(self, name: str, options: dict[str, Any]) -> BLEDriverInterface:
        driver = super().create_driver(name, options)
        driver.on_error = _on_error
        return driver


def _on_error(error: BLEDriverError) -> None:
    emit("error", message=str(error), kind=type(error).__name__)


#: What Reticulum looks for in an interface file.
interface_class = WatchedInterface
