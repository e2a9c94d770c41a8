"""Figures of a status as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_BARS = " ▁▂▃▄▅▆▇█"


def size(count: float) -> str:
    """Return a number of bytes in at most seven characters."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Return a time span in at most six characters."""
    for limit, length, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def sparkline(values: Sequence[float | None], low: float, high: float) -> str:
    """Return values as bars: the lowest for `low` and less, the highest for `high` and more, a gap for None."""
    span = max(high - low, 1e-9)
    return "".join(
        " " if value is None else _BARS[1 + min(7, max(0, int((value - low) / span * 8)))] for value in values
    )


def node_lines(status: Mapping[str, Any]) -> list[str]:
    """Return what there is to say of a node in lines of 80 columns."""
    totals = status["totals"]
    links = ", ".join(f"{count} {state}" for state, count in status["links"].items()) or "none"
    lines = [
        f"{status['name']} (process {status['pid']}) is {(status['identity'] or 'nobody')[:8]} "
        f"at {status['address'] or 'no radio'}",
        f"  links: {links} of {status['max_connections']}; "
        f"attempts to connect: {status['dials']}, failed: {status['failed_dials']}",
        f"  in {size(totals['rx_bytes'])} ({totals['rx_packets']} packets), "
        f"out {size(totals['tx_bytes'])} ({totals['tx_packets']} packets)",
    ]
    if (trouble := status["driver"].get("error")) is not None:
        lines.append(f"  radio: {trouble}")
    if totals["dropped"]:
        lines.append("  dropped: " + ", ".join(f"{count} {why}" for why, count in totals["dropped"].items()))
    return lines
