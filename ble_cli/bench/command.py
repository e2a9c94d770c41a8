"""The command `bench`."""

from __future__ import annotations

import click

from ..programs.command import Command
from ..programs.launch import launch
from ..radio import radio_command
from ..talking import talking
from .programs import Answer, Bench


@radio_command()
@talking
@click.argument("peer", required=False)
@click.option("--kib", type=click.IntRange(1, 10 * 1024), default=100, show_default=True, help="KiB each way.")
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to find it.")
def command(command: Command) -> int:
    """Measure goodput, latency and loss between two hosts.

    \b
    On the one:    ble-interface bench --name bob
    On the other:  ble-interface bench bob

    PEER is the other's name, address, or the begin of its identity; without
    it, this host answers.

    \b
    Exit code: 0 if all was measured; 1 if not.
    """
    if command.options.peer is None:
        return launch(command, Answer, Bench, peer="echo")
    return launch(command, Bench, Answer)
