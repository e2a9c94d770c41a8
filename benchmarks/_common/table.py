"""Rows as people read them, and as machines do."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .row import HEADINGS, Row


def as_text(rows: Sequence[Row]) -> str:
    """Return a table, which is Markdown too."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(_line(line, widths) for line in [lines[0], tuple("-" * width for width in widths), *lines[1:]])


def _line(cells: Sequence[str], widths: Iterable[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def write_json(path: Path, rows: Sequence[Row]) -> None:
    """Write rows, and on what they were measured."""
    machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.platform()}
    document: dict[str, Any] = {"on": machine, "rows": [row.as_json() for row in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n")
