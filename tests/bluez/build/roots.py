"""What guests have as their file system: Debian with BlueZ, D-Bus and a Python environment with bleak and bluezero."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import kernel, packages
from .cache import Cache
from .commands import BuildError, run
from .debian import KEYRING, MIRROR
from .kernel import Kernel

#: What the guests' programs import beside Debian's own python3-dbus and python3-gi.
REQUIREMENTS = (
    "bleak>=3.0,<4",
    "bluezero==0.9.1",
    "bumble==0.0.236",
    "click>=8.1,<9",
    "rich>=13",
    "rns==1.5.7",
    "lxmf==1.2.1",
    "pytest>=8",
    "hypothesis>=6.100",
)
#: Debian packages of a root that is not the host's.
INCLUDE = (*packages.FOR_BLUEZ, "ca-certificates")
#: Where the Python environment is inside such a root.
ENVIRONMENT = "opt/rig"


@dataclass(frozen=True)
class GuestRoot:
    """A root file system with the kernel that belongs to it.

    Attributes:
        name: the Debian suite.
        path: what guests mount as their root, read-only under an overlay.
        python: the interpreter, as a path inside the guest.
        kernel: the kernel of the same suite.
    """

    name: str
    path: Path
    python: str
    kernel: Kernel


def build_all(cache: Cache, names: tuple[str, ...]) -> list[GuestRoot]:
    """Return the roots with these names, making what is missing."""
    with cache.lock():
        return [ROOTS[name](cache) for name in names]


def _host_root(cache: Cache) -> GuestRoot:
    """The host's own root, if that is Debian 12: nothing has to be copied."""
    packages.require((*packages.FOR_ANY_GUEST, *packages.FOR_BLUEZ))
    if _release(Path("/")) != "bookworm":
        return _debootstrapped("bookworm")(cache)
    python = Path("/usr/bin/python3")
    directory = cache.artefact("python-bookworm", REQUIREMENTS, lambda path: _make_environment(python, path))
    return GuestRoot("bookworm", Path("/"), str(directory / "bin/python"), kernel.build(cache, "bookworm"))


def _debootstrapped(suite: str) -> Callable[[Cache], GuestRoot]:
    def build(cache: Cache) -> GuestRoot:
        packages.require((*packages.FOR_ANY_GUEST, *packages.FOR_OTHER_ROOTS))
        path = cache.artefact(f"root-{suite}", (INCLUDE, REQUIREMENTS), lambda path: _make_root(suite, path))
        return GuestRoot(suite, path, f"/{ENVIRONMENT}/bin/python", kernel.build(cache, suite))

    return build


#: By the Debian suite: BlueZ 5.66 with Linux 6.1, BlueZ 5.82 with Linux 6.12.
ROOTS: dict[str, Callable[[Cache], GuestRoot]] = {"bookworm": _host_root, "trixie": _debootstrapped("trixie")}


def _make_root(suite: str, target: Path) -> None:
    run(
        *("debootstrap", "--variant=minbase", f"--include={','.join(INCLUDE)}", f"--keyring={KEYRING}"),
        *(suite, target, MIRROR),
    )
    # pip in there needs the name server and the certificates that pip out here has.
    shutil.copy("/etc/resolv.conf", target / "etc/resolv.conf")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", target / "etc/ssl/certs/ca-certificates.crt")
    environment = f"/{ENVIRONMENT}"
    run("chroot", target, "/usr/bin/python3", "-m", "venv", "--system-site-packages", environment)
    run("chroot", target, f"{environment}/bin/python", "-m", "pip", "install", "-q", *REQUIREMENTS)
    shutil.rmtree(target / "var/cache/apt/archives", ignore_errors=True)


def _make_environment(python: Path, target: Path) -> None:
    run(python, "-m", "venv", "--system-site-packages", target)
    run(target / "bin/python", "-m", "pip", "install", "-q", *REQUIREMENTS)


def _release(root: Path) -> str:
    try:
        lines = (root / "etc/os-release").read_text().splitlines()
    except OSError as error:
        raise BuildError(f"{root} does not say which Linux it is: {error}") from error
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return fields.get("VERSION_CODENAME", "").strip('"')
