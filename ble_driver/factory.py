"""Drivers by name. Any installed package adds one by an entry point in the group ``ble_driver.drivers``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .errors import BLEDriverError, MissingExtraError, UnknownDriverError
from .interface import BLEDriverInterface
from .options import check_options, suggestion

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "ble_driver.drivers"


def available_drivers() -> list[str]:
    """Return the names of the drivers that are installed, whether or not the libraries under them are."""
    return sorted({entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)})


def driver_class(name: str) -> type[BLEDriverInterface]:
    """Return the class of the driver called `name`.

    Raises:
        UnknownDriverError: no installed package has a driver of this name.
        MissingExtraError: the driver is there, but a library under it is not installed.
        BLEDriverError: the entry point names something that is no driver.
    """
    entries = [entry for entry in entry_points(group=ENTRY_POINT_GROUP) if entry.name == name]
    if not entries:
        raise UnknownDriverError(f"no driver is called {name!r}{suggestion(str(name), available_drivers())}")
    try:
        loaded = entries[0].load()
    except ImportError as error:
        raise MissingExtraError(_missing(entries[0], error)) from error
    if not (isinstance(loaded, type) and issubclass(loaded, BLEDriverInterface)):
        raise BLEDriverError(f"entry point {name!r} names {loaded!r}, which is no BLEDriverInterface")
    return loaded


def create_driver(name: str, **options: Any) -> BLEDriverInterface:
    """Return a new driver by its name, such as ``create_driver("bumble", radio="127.0.0.1:7700")``.

    Args:
        name: one of `available_drivers`.
        **options: the keyword arguments of the driver's class.

    Raises:
        UnknownDriverError, MissingExtraError: see `driver_class`.
        InvalidOptionError: an option does not exist, is missing, or has a value that the driver cannot take.
    """
    cls = driver_class(name)
    check_options(options, cls, f"driver {name!r}")
    return cls(**options)


def entry_points(group: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points as installed  # as long to import as half of this package

    return installed(group=group)


def _missing(entry: EntryPoint, error: ImportError) -> str:
    distribution = entry.dist
    extras = distribution.metadata.get_all("Provides-Extra") or [] if distribution is not None else []
    what = f"driver {entry.name!r} cannot be loaded: {error}"
    if distribution is not None and entry.name in extras:
        return f"{what}. Install what it needs: pip install '{distribution.name}[{entry.name}]'"
    return what
