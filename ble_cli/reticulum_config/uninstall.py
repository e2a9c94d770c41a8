"""The command `uninstall`."""

from __future__ import annotations

from pathlib import Path

import click

from .directory import Directory
from .places import configuration_directory
from .telling import tell_or_perform


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Reticulum's configuration directory.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def command(config: Path | None, dry_run: bool) -> int:
    """Undo install-reticulum: the section and the interface file go, the rest
    of the configuration stays as it is, with a backup beside it.
    """
    changes = Directory(config or configuration_directory()).uninstall()
    if not changes:
        click.echo("nothing of ble-interface is there")
        return 0
    tell_or_perform(changes, dry_run=dry_run)
    return 0
