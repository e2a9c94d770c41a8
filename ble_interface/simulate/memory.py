"""How much memory this process has taken."""

from __future__ import annotations

import sys


def peak_memory() -> int:
    """Return the most bytes that this process has had in memory at once; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, getrusage(2)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
