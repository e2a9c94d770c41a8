"""The command line that all examples have: `--driver`, the options of that driver, `--json`, `--verbose`.

The driver's options are taken from its class, so that a driver of somebody else's works here as well:
`--adapter hci0` with bleak, `--radio 127.0.0.1:7700` with bumble.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ble_cli.programs.command import DEFAULT_DRIVER, Command, UsageError, flag, option_types
from ble_cli.programs.program import Program
from ble_cli.programs.program import run as run_program
from ble_driver import BLEDriverError, MissingExtraError, available_drivers
from ble_driver.options import parse_option, suggestion
from ble_interface import BLEInterfaceError

USAGE_EXIT_CODE = 2


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of many.

    Args:
        doc: the docstring of the example.
    """

    def __init__(self, doc: str | None) -> None:
        super().__init__(
            prog=Path(sys.argv[0]).name,
            description=doc,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def run(parser: Parser, program_type: type[Program]) -> int:
    """Read the command line and run an example; the result is the exit code of the process."""
    try:
        return run_program(parse(parser), program_type)
    except (UsageError, BLEDriverError, BLEInterfaceError) as error:
        return refuse(parser, error)


def refuse(parser: Parser, error: Exception) -> int:
    """Say in one line what is wrong with the command line; return the exit code."""
    print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
    return USAGE_EXIT_CODE


def parse(parser: Parser, arguments: Sequence[str] | None = None) -> Command:
    """Read the command line.

    Raises:
        UsageError, BLEDriverError: it makes no sense, or the driver cannot be had.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser.add_argument("--json", action="store_true", help="one JSON object per line instead of words")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the log as well")
    parser.add_argument(
        "--driver", default=DEFAULT_DRIVER, help=f"the radio: one of {', '.join(available_drivers())} (default: bleak)"
    )
    driver = _driver_in(given)
    hints = _driver_hints(driver, given)
    group = parser.add_argument_group(f"options of the driver {driver}")
    for name in hints:
        with contextlib.suppress(argparse.ArgumentError):  # the example has one of that name, which goes before
            group.add_argument(flag(name), dest=f"driver {name}", metavar="VALUE")
    options, unknown = parser.parse_known_args(given)
    _refuse(unknown, driver, parser)
    values = {name: getattr(options, f"driver {name}", None) for name in hints}
    return Command(
        options,
        driver,
        {name: parse_option(name, text, hints[name]) for name, text in values.items() if text is not None},
    )


def _driver_in(given: list[str]) -> str:
    """Return the driver's name before its options are known."""
    first = Parser(None)
    first.add_argument("--driver", default=DEFAULT_DRIVER)
    return str(first.parse_known_args([word for word in given if word not in ("-h", "--help")])[0].driver)


def _driver_hints(driver: str, given: list[str]) -> dict[str, Any]:
    try:
        return option_types(driver)
    except MissingExtraError:
        if {"-h", "--help"} & set(given):
            return {}  # the help must not need what it tells how to use
        raise


def _refuse(unknown: list[str], driver: str, parser: Parser) -> None:
    if not unknown:
        return
    word = unknown[0].partition("=")[0]
    if word.startswith("-"):
        known = [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]
        raise UsageError(
            f"neither this example nor the driver {driver!r} has the option {word!r}{suggestion(word, known)}"
        )
    raise UsageError(f"too many arguments: {' '.join(unknown)}")


def seconds(text: str) -> float:
    """A time span on the command line."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(text)
    return value


def count(text: str) -> int:
    """A number of things on the command line, at least one."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


seconds.__name__ = "number of seconds"  # argparse names the type in its message
count.__name__ = "number, 1 or more"
