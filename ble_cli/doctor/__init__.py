"""What keeps Bluetooth LE from working on this host, and the command that mends it.

A check is a function that is handed a `Host` and returns a `Finding`. `CHECKS` has them in the order in which one rests
on another.
"""

from __future__ import annotations

from .checks import CHECKS
from .finding import Finding, Status
from .host import Host
from .run import run_checks

__all__ = ["CHECKS", "Finding", "Host", "Status", "run_checks"]
