"""What both commands say of changes."""

from __future__ import annotations

import difflib
import getpass
import importlib.util

import click

from .directory import Change, perform

NOT_HERE = "Reticulum is not installed in this Python: pip install 'ble-interface[reticulum]'"


def require_reticulum() -> None:
    """Refuse to go on where there is no Reticulum. Raises ClickException."""
    if importlib.util.find_spec("RNS") is None:
        raise click.ClickException(NOT_HERE)


def tell_or_perform(changes: list[Change], *, dry_run: bool) -> None:
    """Show the changes, or make them and say so."""
    if dry_run:
        for change in changes:
            click.echo("".join(_difference(change)), nl=False)
        return
    try:
        backups = perform(changes)
    except OSError as error:
        raise click.ClickException(f"{getpass.getuser()} cannot write there: {error}") from error
    for change in changes:
        click.echo(f"{'wrote' if change.after is not None else 'removed'} {change.path}")
    for backup in backups:
        click.echo(f"what was there before is in {backup}")


def _difference(change: Change) -> list[str]:
    before = (change.before or "").splitlines(keepends=True)
    after = (change.after or "").splitlines(keepends=True)
    name = str(change.path)
    lines = list(difflib.unified_diff(before, after, name if change.before is not None else "/dev/null", name))
    return [line if line.endswith("\n") else line + "\n" for line in lines]
