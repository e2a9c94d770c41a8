"""Where Reticulum looks."""

from __future__ import annotations

from pathlib import Path

#: The file by which Reticulum finds an interface of the type BLEInterface, and what it says.
FILE_NAME = "BLEInterface.py"
IMPORT_LINE = "from ble_interface.reticulum import interface_class"


def configuration_directory(root: Path = Path("/"), home: Path | None = None) -> Path:
    """Return the configuration directory that Reticulum uses if it is not told another (rns 1.5.7, Reticulum.py)."""
    home = Path.home() if home is None else home
    for directory in (root / "etc/reticulum", home / ".config/reticulum"):
        if (directory / "config").is_file():
            return directory
    return home / ".reticulum"
