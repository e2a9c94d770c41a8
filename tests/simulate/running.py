"""The simulator as a process of its own, as a person starts it."""

from __future__ import annotations

import subprocess
import sys

SIMULATE = (sys.executable, "-m", "ble_interface.simulate")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run([*SIMULATE, *arguments], capture_output=True, text=True, timeout=300, check=False)
