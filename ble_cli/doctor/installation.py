"""Python, and the libraries under the drivers."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import sys

from .finding import Finding, failed, ok, warning
from .host import Host

#: What the driver for BlueZ imports, and what brings it.
BLEAK_MODULES = {
    "dbus": "dbus-python",
    "gi": "PyGObject",
    "bleak": "bleak",
    "dbus_fast": "dbus-fast",
    "bluezero": "bluezero",
}
#: The two of them that pip would have to compile.
COMPILED = {"dbus", "gi"}
PYTHON_OF_BUMBLE = (3, 11)


def python(host: Host) -> Finding:
    """Which Python is this, and where? One too old does not come this far: pip refuses it."""
    return ok(f"Python {platform.python_version()} in {sys.prefix}")


def bleak(host: Host) -> Finding:
    """Is there what the driver for real adapters imports?"""
    missing = [module for module in BLEAK_MODULES if not importable(module)]
    if not missing:
        return ok(f"the driver for real adapters has its libraries (bleak {importlib.metadata.version('bleak')})")
    names = ", ".join(BLEAK_MODULES[module] for module in missing)
    what = f"{names} cannot be imported, without which the driver for real adapters does not load"
    if COMPILED & set(missing):
        return failed(
            f"{what}; Debian's packages spare a compile, and a venv sees them with --system-site-packages",
            "sudo apt install python3-dbus python3-gi && pip install 'ble-interface[bleak]'",
        )
    return failed(what, "pip install 'ble-interface[bleak]'")


def bumble(host: Host) -> Finding:
    """Is there what the driver without hardware imports?"""
    if importable("bumble"):
        return ok(f"the driver without hardware has its library (bumble {importlib.metadata.version('bumble')})")
    if sys.version_info < PYTHON_OF_BUMBLE:
        return warning("the driver without hardware needs Python 3.11; real adapters do not", None)
    return warning(
        "bumble is not installed: only the driver without hardware needs it", "pip install 'ble-interface[bumble]'"
    )


def importable(module: str) -> bool:
    """Whether a module can be imported; to know that, it is."""
    try:
        importlib.import_module(module)
    except Exception:  # a library that is there and broken is as good as none
        return False
    return True
