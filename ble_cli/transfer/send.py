"""The command `send`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from ..programs.command import Command
from ..programs.launch import launch
from ..radio import radio_command
from ..talking import talking
from .programs import Receive, Send


@radio_command()
@talking
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds of silence.")
def command(command: Command) -> int:
    """Send a file to the first host in range that runs `receive`. If the link
    breaks it goes on where it was.

    \b
    Exit code: 0 if it is there and its hash matches; 1 if not.
    """
    with tempfile.TemporaryDirectory() as directory:
        return launch(command, Send, Receive, to=Path(directory))
