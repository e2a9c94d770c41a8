"""The subcommands, by name; each is imported when it is asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from ble_driver import BLEDriverError
from ble_interface import BLEInterfaceError

from .programs.command import UsageError

#: Name: module with its `command`, and what the list of commands says of it, because a list must not import them all.
COMMANDS = {
    "doctor": ("ble_cli.doctor.command", "Say what keeps Bluetooth from working, and what mends it."),
    "install-reticulum": ("ble_cli.reticulum_config.install", "Add the interface to Reticulum's configuration."),
    "uninstall": ("ble_cli.reticulum_config.uninstall", "Take it out of Reticulum's configuration again."),
    "scan": ("ble_cli.scan.command", "Show the nodes in range, and how well each is heard."),
    "chat": ("ble_cli.chat.command", "Talk with whoever else runs this, on another host."),
    "send": ("ble_cli.transfer.send", "Send a file to a host that runs `receive`."),
    "receive": ("ble_cli.transfer.receive", "Take a file from a host that runs `send`."),
    "bench": ("ble_cli.bench.command", "Measure goodput, latency and loss to another host."),
    "status": ("ble_cli.watch.status", "Show the nodes that run on this host."),
    "monitor": ("ble_cli.watch.monitor", "Watch the nodes that run on this host."),
}
EPILOG = """\b
Completion: eval "$(_BLE_INTERFACE_COMPLETE=bash_source ble-interface)"
in ~/.bashrc; zsh_source and fish_source for other shells.
Exit code: 0 all is well, 1 it is not, 2 the command line makes no sense.
"""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=_Lazy, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.version_option(package_name="ble-interface", prog_name="ble-interface")
def group() -> None:
    """Bluetooth LE for mesh networking: is this host fit for it, who is in
    range, and what are the nodes doing.

    \b
    First:   ble-interface doctor
    Then:    ble-interface scan             who is there
             ble-interface chat             on two hosts
    To stay: ble-interface install-reticulum
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; return the exit code. What makes no sense costs one line, never a traceback."""
    try:
        code = group.main(args=arguments, prog_name="ble-interface", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        return 130
    except (UsageError, BLEDriverError, BLEInterfaceError) as error:
        click.echo(f"ble-interface: {' '.join(str(error).split())}", err=True)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # nobody reads any more; Python would complain of that at its end
        return 0
    return code if isinstance(code, int) else 0
