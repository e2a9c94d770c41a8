"""The options of all commands that run a program with a radio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Function = Callable[..., Any]


def reporting(function: Function) -> Function:
    """Add the options for what is told."""
    function = click.option("--json", "json", is_flag=True, help="One JSON object per line instead of words.")(function)
    return click.option("-v", "--verbose", is_flag=True, help="Show the log as well.")(function)


def talking(function: Function) -> Function:
    """Add those, and the name under which one is met."""
    name = click.option("--name", help="What you are called there (default: the host's name).")
    return name(reporting(function))
