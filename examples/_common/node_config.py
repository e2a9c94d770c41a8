"""The Reticulum configuration of a node whose only interface is ours."""

from __future__ import annotations

from pathlib import Path

from _demo.config import LOG_INFO, TEMPLATE, NodeConfig

from ble_cli.programs.command import Command, UsageError
from ble_cli.reticulum_config.edit import ConfigurationError, quoted

INTERFACE_FILES = {"BLEInterface.py": "from _common.watched_interface import interface_class\n"}


def write_config(directory: Path, command: Command, passphrase: str | None) -> None:
    """Write the configuration, or leave it if it is there already.

    Raises:
        UsageError: there is another one, which is not ours to change, or the directory cannot be written.
    """
    keys = {"driver": command.driver, **command.driver_options}
    if passphrase is not None:
        keys["passphrase"] = passphrase
    try:
        lines = [f"    {key} = {quoted(key, str(value))}" for key, value in keys.items()]
    except ConfigurationError as error:
        raise UsageError(str(error)) from None
    section = "\n".join(["  [[Bluetooth LE]]", "    type = BLEInterface", "    enabled = Yes", *lines, ""])
    config = NodeConfig(directory, section, INTERFACE_FILES)
    path = directory / "config"
    try:
        if not path.exists():
            config.write()
        elif path.read_text(encoding="utf-8") != TEMPLATE.format(loglevel=LOG_INFO, interface_section=section):
            raise UsageError(f"{path} exists and says something else: remove it, or name another directory")
    except OSError as error:
        raise UsageError(f"the configuration cannot be written: {error}") from error
