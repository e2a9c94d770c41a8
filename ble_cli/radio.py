"""`--driver` and the options of that driver, for every command that needs a radio."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import click

from ble_driver import BLEDriverError, InvalidOptionError, available_drivers
from ble_driver.options import parse_option

from .programs.command import DEFAULT_DRIVER, Command, UsageError, flag, option_types

EPILOG = "With --driver NAME --help: the options of that driver."
_PARAMETERS = "ble_cli.radio.parameters"


class RadioCommand(click.Command):
    """A click command with `--driver`, whose options depend on it: they are those of the driver's class.

    Its function is called with a `Command` and gets everything else from the options of that.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params = [
            *self.params,
            click.Option(
                ["--driver"],
                default=DEFAULT_DRIVER,
                show_default=True,
                help=f"The radio: one of {', '.join(available_drivers())}.",
            ),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_PARAMETERS] = _parameters_of(_driver_in(args), asked_for_help=bool({"-h", "--help"} & set(args)))
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        taken = {option for parameter in own for option in parameter.opts}
        return [*own, *(each for each in ctx.meta.get(_PARAMETERS, ()) if not taken & set(each.opts))]

    def invoke(self, ctx: click.Context) -> Any:
        names = [parameter.name for parameter in ctx.meta[_PARAMETERS]]
        given = {name.removeprefix("driver_"): ctx.params.pop(name, None) for name in names if name is not None}
        driver = ctx.params.pop("driver")
        options = {name: value for name, value in given.items() if value is not None}
        command = Command(argparse.Namespace(**ctx.params), driver, options)
        ctx.params.clear()
        ctx.params["command"] = command
        return super().invoke(ctx)


def radio_command(**attributes: Any) -> Callable[[Callable[[Command], int]], click.Command]:
    """Make a `RadioCommand` of a function that takes a `Command` and returns the exit code."""
    return click.command(cls=RadioCommand, epilog=EPILOG, **attributes)


def _driver_in(args: Sequence[str]) -> str:
    """Return the driver's name before its options are known."""
    for place, word in enumerate(args):
        if word == "--driver" and place + 1 < len(args):
            return args[place + 1]
        if word.startswith("--driver="):
            return word.partition("=")[2]
    return DEFAULT_DRIVER


def _parameters_of(driver: str, *, asked_for_help: bool) -> list[click.Parameter]:
    try:
        hints = option_types(driver)
    except BLEDriverError as error:
        if asked_for_help:
            return []  # the help must not need what it tells how to use
        raise UsageError(str(error)) from error
    return [
        click.Option(
            [flag(name), f"driver_{name}"],
            metavar="VALUE",
            callback=_reader(name, hint),
            help=f"Of the driver {driver}.",
        )
        for name, hint in hints.items()
    ]


def _reader(name: str, hint: Any) -> Callable[[click.Context, click.Parameter, str | None], object]:
    def read(_: click.Context, __: click.Parameter, text: str | None) -> object:
        if text is None:
            return None
        try:
            return parse_option(name, text, hint)
        except InvalidOptionError as error:
            raise UsageError(str(error)) from None

    return read
