"""The rig of drivers that reach each other by their options alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ble_driver import BLEDriverInterface, create_driver, driver_class
from ble_driver.options import options_of

from .rig import RealTimeRig


class NamedDriverRig(RealTimeRig):
    """Drivers of one name, made by `ble_driver.create_driver`, on real time.

    Args:
        name: the name of the driver.
        options: values of its options: one for all nodes, or one for each node in the order in which they are made.
    """

    def __init__(self, name: str, options: Mapping[str, Sequence[object]]) -> None:
        super().__init__()
        self._name = name
        self._options = options
        self._known = options_of(driver_class(name))
        self._made = 0
        self.mtu_is_chosen = "mtu" in self._known

    def make_driver(self, **options: Any) -> BLEDriverInterface:
        number, self._made = self._made, self._made + 1
        for wanted in options:
            if wanted not in self._known:
                self.not_offered(f"drivers with the option {wanted}")
        return create_driver(self._name, **{key: self._value(key, number) for key in self._options}, **options)

    def _value(self, key: str, number: int) -> object:
        values = self._options[key]
        if len(values) == 1:
            return values[0]
        if number >= len(values):
            self.not_offered(f"a node number {number + 1}: {key} was given for {len(values)}")
        return values[number]
