"""The command `receive`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from ..programs.command import Command
from ..programs.launch import launch
from ..radio import radio_command
from ..talking import talking
from .programs import Receive, Send

SAMPLE = b"This came over a radio that does not exist.\n" * 1000


@radio_command()
@talking
@click.option(
    "--to",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="The directory for it (default: this).",
)
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds of silence.")
def command(command: Command) -> int:
    """Take one file from a host in range that runs `send`: anybody there may
    send one. Nothing is overwritten.

    \b
    Exit code: 0 if it is here and its hash matches; 1 if not.
    """
    with tempfile.TemporaryDirectory() as directory:
        sample = Path(directory) / "sample.txt"
        sample.write_bytes(SAMPLE)
        return launch(command, Receive, Send, file=sample)
