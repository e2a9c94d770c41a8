"""A Debian suite as a source of packages, without making it a source of the host."""

from __future__ import annotations

import getpass
import os
import re
from pathlib import Path

from .commands import BuildError, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = os.environ.get("BLE_RIG_MIRROR", "http://deb.debian.org/debian")


class Suite:
    """One suite, with apt's state in a directory of its own; nobody needs to be root.

    Args:
        name: such as "bookworm".
        directory: an empty directory to work in.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._directory = directory
        for part in ("lists/partial", "cache/archives/partial"):
            (directory / part).mkdir(parents=True)
        sources = directory / "sources.list"
        sources.write_text(
            f"deb [signed-by={KEYRING}] {MIRROR} {name} main\n"
            f"deb [signed-by={KEYRING}] {MIRROR}-security {name}-security main\n"
        )
        configuration = directory / "apt.conf"
        configuration.write_text(
            f'Dir::Etc::SourceList "{sources}";\n'
            'Dir::Etc::SourceParts "-";\n'
            f'Dir::State::Lists "{directory / "lists"}";\n'
            f'Dir::Cache "{directory / "cache"}";\n'
            'Dir::State::Status "/dev/null";\n'
            f'APT::Sandbox::User "{getpass.getuser()}";\n'
            'APT::Architecture "amd64";\n'
        )
        self._environment = {"APT_CONFIG": str(configuration)}
        run("apt-get", "-q", "update", env=self._environment)

    def dependency(self, package: str, pattern: str) -> str:
        """Return the dependency of a package that matches a pattern."""
        for line in run("apt-cache", "depends", package, env=self._environment).splitlines():
            kind, _, name = line.strip().partition(": ")
            if kind == "Depends" and re.fullmatch(pattern, name):
                return name
        raise BuildError(f"{package} of {self.name} depends on nothing like {pattern}")

    def unpack(self, package: str, target: Path) -> None:
        """Download a package and unpack it, without installing it."""
        uri = run("apt-get", "--print-uris", "download", package, env=self._environment)
        match = re.match(r"'[^']+' (\S+) ", uri)
        if match is None:
            raise BuildError(f"{package} is not in {self.name}")
        # apt-get downloads into the working directory only.
        run("env", "-C", self._directory, "apt-get", "-q", "download", package, env=self._environment)
        run("dpkg-deb", "-x", self._directory / match[1], target)
