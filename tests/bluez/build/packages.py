"""The Debian packages that have to be installed on the host."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess

from .commands import BuildError, run

logger = logging.getLogger(__name__)

#: To run guests, whatever their root is.
FOR_ANY_GUEST = ("qemu-system-x86", "kmod")
#: What a guest needs whose programs use BlueZ, and systemd for what is a service. python3-cairo only because pip would
#: build it: bluezero requires PyGObject, that requires pycairo by its metadata, and Debian's python3-gi does without.
FOR_BLUEZ = ("bluez", "dbus", "python3-dbus", "python3-gi", "python3-cairo", "python3-venv", "systemd")
#: To make another root.
FOR_OTHER_ROOTS = ("debootstrap", "debian-archive-keyring")


def require(packages: tuple[str, ...]) -> None:
    """See to it that these packages are installed.

    Raises:
        BuildError: one is missing and cannot be installed; the message is the line that does it.
    """
    if shutil.which("dpkg-query") is None:
        raise BuildError("the rig builds its guests from Debian packages: run it on Debian")
    missing = [package for package in packages if not _is_installed(package)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise BuildError(f"please run: sudo apt-get install --no-install-recommends {' '.join(missing)}")
    logger.info("installing %s", " ".join(missing))
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "-q", "update", env=quiet)
    run("apt-get", "-q", "install", "-y", "--no-install-recommends", *missing, env=quiet)


def _is_installed(package: str) -> bool:
    query = ("dpkg-query", "-W", "-f", "${db:Status-Status}", package)
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"
