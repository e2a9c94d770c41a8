"""The Reticulum configuration of a node whose only interface is ours."""

from __future__ import annotations

from pathlib import Path

from _demo.config import LOG_INFO, TEMPLATE, NodeConfig

from .command_line import Command, UsageError

INTERFACE_FILES = {"BLEInterface.py": "from _common.watched_interface import interface_class\n"}


def write_config(directory: Path, command: Command, passphrase: str | None) -> None:
    """Write the configuration, or leave it if it is there already.

    Raises:
        UsageError: there is another one, which is not ours to change, or the directory cannot be written.
    """
    keys = {"driver": command.driver, **command.driver_options}
    if passphrase is not None:
        keys["passphrase"] = passphrase
    lines = [f"    {key} = {_quoted(key, str(value))}" for key, value in keys.items()]
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


def _quoted(key: str, value: str) -> str:
    """Return a value as the configuration file takes it; commas and hashes mean something there unless quoted."""
    quote = '"' if '"' not in value else "'"
    if quote in value or not value.isprintable():
        raise UsageError(f"{key} may not have both kinds of quotes, nor characters that cannot be printed")
    return f"{quote}{value}{quote}"
