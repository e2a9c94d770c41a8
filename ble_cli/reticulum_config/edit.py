"""Put one section into the text of a Reticulum configuration, and take it out again, touching nothing else.

The section stands between two comments, by which it is found again. What comes out is byte for byte what went in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ble_interface import BLEInterfaceError

SECTION = "Bluetooth"
BEGIN = "  # added by ble-interface install-reticulum; ble-interface uninstall takes it out again"
END = "  # end of what ble-interface has added"
_BLOCK = re.compile(rf"(?P<before>\r?\n)?{re.escape(BEGIN)}\r?\n.*?{re.escape(END)}(?P<after>\r?\n)?", re.DOTALL)
_INTERFACES = re.compile(r"^[ \t]*\[[ \t]*interfaces[ \t]*\][ \t]*(?:#.*)?\r?$", re.MULTILINE)
_TOP_LEVEL = re.compile(r"^[ \t]*\[[^\[\n]", re.MULTILINE)


class ConfigurationError(BLEInterfaceError, ValueError):
    """A configuration cannot be edited; the message says what to change."""


def install(text: str, keys: Mapping[str, str]) -> str:
    """Return a configuration with our section; one that it has already is replaced.

    Args:
        text: the configuration.
        keys: of the section, besides its type and that it is enabled.

    Raises:
        ConfigurationError: a value cannot be written in a configuration.
    """
    text = uninstall(text)
    lines = section_lines(keys)
    header = _INTERFACES.search(text)
    if header is None:
        lines.insert(0, "[interfaces]")
        place = len(text)
    else:
        following = _TOP_LEVEL.search(text, header.end())
        place = following.start() if following is not None else len(text)
    newline = "\r\n" if "\r\n" in text else "\n"
    block = newline.join([BEGIN, *lines, END])
    before, after = text[:place], text[place:]
    if before and not before.endswith("\n"):  # a file without an end of its last line keeps that
        return f"{before}{newline}{block}"
    return f"{before}{block}{newline}{after}"


def section_lines(keys: Mapping[str, str]) -> list[str]:
    """Return our section. Raises ConfigurationError."""
    return [
        f"  [[{SECTION}]]",
        "    type = BLEInterface",
        "    enabled = yes",
        *(f"    {key} = {quoted(key, value)}" for key, value in keys.items()),
    ]


def uninstall(text: str) -> str:
    """Return a configuration without our section."""
    match = _BLOCK.search(text)
    if match is None:
        return text
    # The end of a line belongs to it: ours at its own end, or else the one that we have put before it.
    begin = match.end("before") if match["after"] and match["before"] else match.start()
    return text[:begin] + text[match.end() :]


def quoted(key: str, value: str) -> str:
    """Return a value as the configuration takes it; commas and hashes mean something there unless quoted.

    Raises:
        ConfigurationError: it cannot be written.
    """
    if "%(" in value:
        raise ConfigurationError(f"{key} may not have %( in it, which means something in Reticulum's configuration")
    quote = '"' if '"' not in value else "'"
    if quote in value or not value.isprintable():
        raise ConfigurationError(f"{key} may not have both kinds of quotes, nor characters that cannot be printed")
    return f"{quote}{value}{quote}"
