"""The command `install-reticulum`."""

from __future__ import annotations

from pathlib import Path

import click

from ..programs.command import Command
from ..radio import radio_command
from . import edit, load_check
from .directory import Directory
from .places import configuration_directory
from .telling import require_reticulum, tell_or_perform


@radio_command()
@click.option("--config", type=click.Path(path_type=Path), help="Reticulum's configuration directory.")
@click.option("--passphrase", help="Only nodes with the same one exchange anything.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def command(command: Command) -> int:
    """Add the interface to Reticulum: its file, and a section in the
    configuration, of which nothing else is touched and a backup is kept.
    Twice is once; other options the second time replace the section.
    At the end rnsd is tried with the section.

    Exit code: 0 if rnsd loads it, 1 if not.
    """
    require_reticulum()
    options = command.options
    keys = {"driver": command.driver, **{key: str(value) for key, value in command.driver_options.items()}}
    if options.passphrase is not None:
        keys["passphrase"] = options.passphrase
    place = options.config or configuration_directory()
    changes = Directory(place).install(keys)
    if not changes:
        click.echo(f"it is in {place} already, just so")
    else:
        tell_or_perform(changes, dry_run=options.dry_run)
    if options.dry_run:
        return 0
    return _try(keys)


def _try(keys: dict[str, str]) -> int:
    rnsd = load_check.find_rnsd()
    if rnsd is None:
        raise click.ClickException("there is no rnsd to try it with: it comes with Reticulum, pip install rns")
    wrong = load_check.why_not("\n".join(edit.section_lines(keys)), rnsd)
    if wrong is not None:
        raise click.ClickException(f"{rnsd} does not load the section: {wrong}")
    click.echo(f"{rnsd} loads it. A running rnsd takes it up when it is started again.")
    return 0
