"""What the README shows as Python runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
SNIPPETS = [s for s in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if "reticulum" not in s]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_of_the_readme_runs(snippet: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", snippet], check=True, timeout=60)


def test_there_are_snippets() -> None:
    assert SNIPPETS
