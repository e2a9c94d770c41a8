"""systemd reads the example of a unit, and finds nothing in it that it does not know."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .running import EXAMPLES


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and "CI" not in os.environ,  # there it may not be missing
    reason="this host has no systemd",
)
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    # Nobody has rnsd at that place; that there is some program is all that systemd looks at.
    text, count = re.subn(r"^ExecStart=\S+", "ExecStart=/bin/true", (EXAMPLES / "rnsd.service").read_text(), flags=re.M)
    assert count == 1
    unit = tmp_path / "rnsd.service"
    unit.write_text(text)
    assert complaints(unit) == ""
    unit.write_text(text.replace("Restart=", "Restrat="))
    assert "Restrat" in complaints(unit)  # it does look


def complaints(unit: Path) -> str:
    command = ("systemd-analyze", "verify", "--man=no", str(unit))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0 or said, "it fails without a word"
    return "\n".join(line for line in said.splitlines() if unit.name in line)
