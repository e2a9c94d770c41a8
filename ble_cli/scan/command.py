"""The command `scan`."""

from __future__ import annotations

import click

from ..programs.command import Command, UsageError
from ..programs.launch import launch
from ..radio import radio_command
from ..talking import reporting
from .programs import Advertise, Scan


@radio_command()
@reporting
@click.option("--seconds", type=click.FloatRange(min=0), help="How long to scan (default: until Ctrl-C).")
@click.option("--all", "everything", is_flag=True, help="Also devices that are no nodes; only with bleak.")
def command(command: Command) -> int:
    """Show the nodes in range: how well each is heard, since when, and who it
    is, if a node on this host has met it. On a terminal that is a table,
    elsewhere a line for each change. On BlueZ it listens beside a node that
    runs, and disturbs nobody.

    \b
    Exit code: 0, also after Ctrl-C; 1 if the radio did not scan at all.
    """
    if command.driver == "bleak":
        from .beside import ScanBeside

        return launch(command, ScanBeside, Advertise)
    if command.options.everything:
        raise UsageError("--all shows what BlueZ hears: it needs --driver bleak")
    return launch(command, Scan, Advertise)
