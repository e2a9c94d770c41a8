"""What the user asked for, however it was read from the command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Any

from ble_driver import BLEDriverInterface, create_driver, driver_class
from ble_driver.options import text_options_of

DEFAULT_DRIVER = "bleak"


class UsageError(Exception):
    """What was asked for makes no sense; the text says what to change."""


@dataclass(frozen=True)
class Command:
    """The options of the program, and the driver with the options that were given for it."""

    options: argparse.Namespace
    driver: str
    driver_options: dict[str, Any] = field(default_factory=dict)

    def create_driver(self) -> BLEDriverInterface:
        """Return the radio that was asked for."""
        return create_driver(self.driver, **self.driver_options)


def option_types(driver: str) -> dict[str, Any]:
    """Return the options of a driver that a command line can express, from its class, so that a driver of somebody
    else's has them as well: name and type. Raises UnknownDriverError, MissingExtraError."""
    return text_options_of(driver_class(driver))


def flag(name: str) -> str:
    """Return how a driver's option is written on a command line."""
    return f"--{name.replace('_', '-')}"
