"""The command `doctor`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from . import fixes
from .checks import CHECKS
from .finding import Finding, Status
from .host import Host
from .run import exit_code, run_checks

NAME_WIDTH, STATUS_WIDTH = max(map(len, CHECKS)), max(len(status.value) for status in Status)
STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "bold red", Status.SKIPPED: "dim"}


@click.command()
@click.option("--adapter", default="hci0", show_default=True, help="The adapter that is meant.")
@click.option("--config", type=click.Path(path_type=Path), help="Reticulum's configuration directory.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with a list of checks.")
@click.option("--fix", is_flag=True, help="Offer to run those remedies that harm nothing.")
def command(adapter: str, config: Path | None, as_json: bool, fix: bool) -> int:
    """Say what keeps Bluetooth LE from working on this host, why it matters,
    and the command that mends it.

    Exit code: 0 if nothing failed (warnings do not count), 1 if something
    did.
    """
    if fix and as_json:
        raise click.UsageError("--fix asks questions, which does not go with --json")

    def host() -> Host:
        return Host(adapter=adapter) if config is None else Host(adapter=adapter, reticulum=config)

    if as_json:
        findings = dict(run_checks(CHECKS, host()))
        click.echo(json.dumps({"checks": [_plain(name, finding) for name, finding in findings.items()]}, indent=2))
        return exit_code(findings)
    console = Console(highlight=False)
    findings = _tell(console, host())
    if fix and _mend(findings, host().is_root()):
        console.print()
        findings = _tell(console, host())
    return exit_code(findings)


def _plain(name: str, finding: Finding) -> dict[str, str | None]:
    return {"name": name, "status": finding.status.value, "detail": finding.detail, "remedy": finding.remedy}


def _tell(console: Console, host: Host) -> dict[str, Finding]:
    findings: dict[str, Finding] = {}
    for name, finding in run_checks(CHECKS, host):
        findings[name] = finding
        _tell_one(console, name, finding)
    bad = [name for name, finding in findings.items() if finding.status is Status.FAILED]
    console.print(f"\nin need of mending: {', '.join(bad)}" if bad else "\nall is well")
    return findings


def _tell_one(console: Console, name: str, finding: Finding) -> None:
    head = f"{name:<{NAME_WIDTH}} {finding.status.value:<{STATUS_WIDTH}} "
    first, *more = textwrap.wrap(finding.detail, max(20, console.width - len(head)))
    line = Text(head + first)
    line.stylize(STYLES[finding.status], NAME_WIDTH + 1, len(head))
    console.print(line)
    for each in more:
        console.print(Text(" " * len(head) + each))
    if finding.remedy is not None:
        console.print(Text(f"  -> {finding.remedy}", style="bold"), soft_wrap=True)  # in one piece, to be copied


def _mend(findings: dict[str, Finding], root: bool, ask: Callable[[str], bool] = click.confirm) -> bool:
    """Offer each safe remedy once; return whether any was run."""
    commands: list[list[str]] = []
    for finding in findings.values():
        command = fixes.command_for(finding, root=root)
        if command is not None and command not in commands:
            commands.append(command)
    if not commands:
        click.echo("nothing here can be mended without changing files or ending links: see the lines with ->")
    ran = False
    for command in commands:
        if ask(f"run {' '.join(command)} ?"):
            wrong = fixes.run(command)
            click.echo(f"  it did not work: {wrong}" if wrong is not None else "  done")
            ran = True
    return ran
