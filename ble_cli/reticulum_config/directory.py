"""A configuration directory of Reticulum on the disk: what is written there, and what is kept of what was there."""

from __future__ import annotations

import importlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import edit
from .edit import ConfigurationError
from .places import FILE_NAME, IMPORT_LINE


@dataclass(frozen=True)
class Change:
    """One file that is to be written or removed.

    Attributes:
        path: which.
        before, after: what it says; None if there is no such file.
    """

    path: Path
    before: str | None
    after: str | None


class Directory:
    """A configuration directory.

    Args:
        path: where it is; it need not be there yet.

    Raises:
        ConfigurationError: what is there cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.config = path / "config"
        self.interface_file = path / "interfaces" / FILE_NAME
        self._text = _read(self.config)
        self._interface = _read(self.interface_file)

    def install(self, keys: Mapping[str, str]) -> list[Change]:
        """Return what has to change so that our section, with these keys, is there; nothing if it is already.

        Raises:
            ConfigurationError: something is in the way.
        """
        if self._interface is not None and IMPORT_LINE not in self._interface:
            raise ConfigurationError(f"{self.interface_file} is somebody else's: move it away, and its section with it")
        before = self._text if self._text is not None else _reticulums_own()
        after = edit.install(before, keys)
        self._check(before, after, keys)
        changes = [Change(self.config, self._text, after)]
        if self._interface is None:
            changes.append(Change(self.interface_file, None, IMPORT_LINE + "\n"))
        return [change for change in changes if change.before != change.after]

    def uninstall(self) -> list[Change]:
        """Return what has to change so that nothing of ours is there."""
        changes = []
        if self._text is not None:
            changes.append(Change(self.config, self._text, edit.uninstall(self._text)))
        if self._interface is not None and self._interface.strip() == IMPORT_LINE:
            changes.append(Change(self.interface_file, self._interface, None))
        return [change for change in changes if change.before != change.after]

    def _check(self, before: str, after: str, keys: Mapping[str, str]) -> None:
        """See that Reticulum reads of the result what it read before, and our section besides."""
        was = _parsed(edit.uninstall(before), self.config)
        if edit.SECTION in was.get("interfaces", {}):
            raise ConfigurationError(
                f"{self.config} has a section [[{edit.SECTION}]] that this command has not added: rename or remove it"
            )
        becomes = _parsed(after, self.config)
        section = becomes.get("interfaces", {}).pop(edit.SECTION, {})
        was.setdefault("interfaces", {})
        wanted = {"type": "BLEInterface", "enabled": "yes", **keys}
        if section != wanted or becomes != was:
            raise ConfigurationError(
                f"{self.config} cannot be edited safely: add the section by hand, as the README shows"
            )


def perform(changes: list[Change]) -> list[Path]:
    """Make the changes; return the backups of files that were there."""
    backups = []
    for change in changes:
        if change.before is not None and change.path.name == "config":
            backups.append(_back_up(change.path))
        if change.after is None:
            change.path.unlink()
        else:
            _write(change.path, change.after)
    return backups


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all. A new configuration may hold a passphrase, and is nobody else's to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve()  # a link stays one
    scratch = target.with_name(target.name + ".new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if path.name == "config" else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
    if target.exists():
        shutil.copymode(target, scratch)
    scratch.replace(target)


def _back_up(path: Path) -> Path:
    stem = f"{path.name}.backup-{time.strftime('%Y%m%d-%H%M%S')}"
    backup, number = path.with_name(stem), 1
    while backup.exists():
        number += 1
        backup = path.with_name(f"{stem}-{number}")
    shutil.copy2(path, backup)
    return backup


def _reticulums_own() -> str:
    """Return what Reticulum writes when it has no configuration: then that would be the first thing it did."""
    module = importlib.import_module("RNS.Reticulum")
    text = getattr(module, "__default_rns_config__", None)
    lines = text.splitlines() if isinstance(text, str) else text
    if not isinstance(lines, list):
        raise ConfigurationError("there is no configuration yet: start rnsd once, which writes one, and end it")
    return "\n".join(lines) + "\n"


def _parsed(text: str, path: Path) -> dict[str, dict[str, object]]:
    from RNS.vendor.configobj import ConfigObj, ConfigObjError

    try:
        parsed: dict[str, dict[str, object]] = ConfigObj(text.splitlines(), interpolation=True).dict()
    except ConfigObjError as error:
        raise ConfigurationError(f"Reticulum cannot read {path}: {error}") from error
    return parsed
