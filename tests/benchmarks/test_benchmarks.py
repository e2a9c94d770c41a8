"""Each benchmark runs and says what it measured. How fast anything is, no test says: machines differ."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from benchmarks._common import Figure, Row
from benchmarks._common.table import as_text

ROOT = Path(__file__).parents[2]
#: bumble needs Python 3.11, as tests/conftest.py says.
RUN_HERE = [name for name in NAMES if sys.version_info >= (3, 11) or name not in ("bumble", "reticulum")]


@pytest.mark.parametrize("name", RUN_HERE)
def test_a_benchmark_prints_its_rows(name: str, tmp_path: Path) -> None:
    document = tmp_path / "rows.json"
    command = [sys.executable, "-m", "benchmarks", name, "--quick", "--json", str(document)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = json.loads(document.read_text())["rows"]
    assert rows
    assert {row["subject"] for row in rows} == {name}
    assert all(row["what"] in done.stdout and row["against"] in done.stdout for row in rows)
    assert all(row["figure"]["median"] >= 0 and row["relative"] >= 0 for row in rows)


def test_a_name_that_is_no_benchmark_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks", "codex"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no benchmark is called codex; there are" in done.stderr
    assert "codec" in done.stderr


def test_a_limit_that_is_not_kept_is_marked() -> None:
    good = Row("codec", "this", Figure(5.0, 0.1), "s", 1.2, "of that", 1.3)
    bad = Row("codec", "this", Figure(5.0, 0.1), "s", 1.4, "of that", 1.3)
    assert good.is_within
    assert not bad.is_within
    _, _, first, second = as_text([good, bad]).splitlines()
    assert "!" not in first
    assert "≤ 1.30 !" in second
    assert "±10%" in first
