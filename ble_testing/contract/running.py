"""From the options of a command line to a run of the suite."""

from __future__ import annotations

import importlib
import inspect
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ble_driver import BLEDriverError, driver_class
from ble_driver.options import check_options, parse_option, suggestion, text_options_of

from . import offering
from .named_rig import NamedDriverRig
from .rig import Rig

#: The tests, one file for each part of the contract.
SUITE = Path(__file__).with_name("suite")
#: How a run makes its rigs: one for each test.
RIG = pytest.StashKey[Callable[[], Rig]]()


def run_suite(config: pytest.Config, rig: str | None, driver: str | None, options: Sequence[str]) -> None:
    """Let this run of pytest collect the suite, and run it with what the command line names.

    Args:
        config: of the run; tests that were named by it run as well.
        rig: where to find a class derived from `Rig`, as ``module:name``.
        driver: in its place, the name of a driver.
        options: that driver's, each as ``key=value``.

    Raises:
        pytest.UsageError: one of them is not what it should be.
    """
    if rig is not None and driver is not None:
        raise pytest.UsageError("--ble-contract and --ble-contract-driver exclude each other: name a rig or a driver")
    if driver is None and options:
        raise pytest.UsageError("--ble-contract-option is for the driver of --ble-contract-driver, which is not given")
    config.stash[RIG] = find_rig(rig) if rig is not None else _named_rig(str(driver), options)
    config.pluginmanager.register(offering, "ble-contract-offering")
    named = config.args if config.args_source is pytest.Config.ArgsSource.ARGS else []
    config.args = [*named, str(SUITE)]
    config.addinivalue_line("python_files", str(SUITE / "test_*.py"))  # if files have other names in this project


def find_rig(name: str) -> Callable[[], Rig]:
    """Return the class derived from `Rig` that ``module:name`` stands for.

    Raises:
        pytest.UsageError: there is none.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise pytest.UsageError(f"--ble-contract wants module:rig, such as mypackage.testing:MyRig, not {name!r}")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise pytest.UsageError(
            f"--ble-contract {name}: {module_name} cannot be imported: {error}. Install the package it belongs to, "
            "or run python -m pytest where it is"
        ) from error
    found: Any = getattr(module, attribute, None)
    if found is None:
        names = [known for known, value in vars(module).items() if _is_rig(value)]
        raise pytest.UsageError(
            f"--ble-contract {name}: {module_name} has no {attribute!r}{suggestion(attribute, names)}"
        )
    if not _is_rig(found):
        raise pytest.UsageError(f"--ble-contract {name}: {found!r} is not derived from ble_testing.contract.Rig")
    if found.__abstractmethods__:
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise pytest.UsageError(f"--ble-contract {name}: {attribute} lacks {missing}")
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise pytest.UsageError(f"--ble-contract {name}: {attribute} is made without arguments: {error}") from error
    rig: Callable[[], Rig] = found
    return rig


def _is_rig(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Rig)


def _named_rig(name: str, options: Sequence[str]) -> Callable[[], Rig]:
    given: dict[str, list[object]] = defaultdict(list)
    try:
        cls = driver_class(name)
        known = text_options_of(cls)
        for option in options:
            key, equals, text = option.partition("=")
            if not equals:
                raise pytest.UsageError(f"--ble-contract-option wants key=value, not {option!r}")
            given[key].append(parse_option(key, text, known.get(key)))
        check_options(given, cls, f"driver {name!r}")
        NamedDriverRig(name, given).make_driver()  # which refuses values that it cannot take
    except BLEDriverError as error:
        raise pytest.UsageError(str(error)) from error
    return lambda: NamedDriverRig(name, given)
