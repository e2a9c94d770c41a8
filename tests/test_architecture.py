"""docs/architecture.md says who imports whom, docs/protocol.md which figures hold: both are compared with the code."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
PROTOCOL = (ROOT / "docs/protocol.md").read_text()
FOLDERS = {
    "ble_driver": "ble_driver",
    "ble_interface": "ble_interface",
    "ble_testing": "ble_testing",
    "ble_cli": "ble_cli",
    "ble_coordination": "ble_coordination",
    **{path.parent.name: f"drivers/{path.parent.name}" for path in (ROOT / "drivers").glob("*/__init__.py")},
}


def imports(folder: str) -> Iterator[str]:
    """The absolute names that the modules of a folder import, wherever in them."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours_and_theirs(package: str) -> tuple[set[str], set[str]]:
    ours, theirs = set(), set()
    for name in imports(FOLDERS[package]):
        words = name.split(".")
        owner = words[1] if words[0] == "drivers" and len(words) > 1 else words[0]
        if owner in FOLDERS:
            ours.add(owner)
        elif words[0] != "drivers" and words[0] not in sys.stdlib_module_names:
            theirs.add(words[0])
    return ours - {package}, theirs


def test_the_picture_is_true() -> None:
    drawn = set(re.findall(r"^\s+(\w+) --> (\w+)$", ARCHITECTURE, re.MULTILINE))
    assert drawn == {(package, other) for package in FOLDERS for other in ours_and_theirs(package)[0]}


def test_the_table_is_true() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", ARCHITECTURE, re.MULTILINE))
    said = {package: set() if text == "none" else set(text.split(", ")) for package, text in rows.items()}
    assert said == {package: ours_and_theirs(package)[1] for package in FOLDERS}


def test_what_the_examples_are_made_of_needs_the_standard_library_only() -> None:
    for path in [*(ROOT / "ble_cli/programs").glob("*.py"), ROOT / "ble_cli/transfer/flow.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names or top in ("ble_driver", "ble_interface", "drivers"), (path, name)


CONSTANTS = re.findall(r"^\| [^|]+ \| (\d+) \| `(\w+)\.(\w+)` \|$", PROTOCOL, re.MULTILINE)


@pytest.mark.parametrize(("value", "module", "name"), CONSTANTS)
def test_a_figure_of_the_protocol_is_that_of_the_code(value: str, module: str, name: str) -> None:
    assert getattr(importlib.import_module(f"ble_interface.{module}"), name) == float(value)


def test_the_uuids_of_the_protocol_are_those_of_the_code() -> None:
    gatt = importlib.import_module("ble_interface.gatt")
    said = re.findall(r"`([0-9a-f-]{36})`", PROTOCOL)
    assert said == [gatt.SERVICE_UUID, gatt.RX_CHAR_UUID, gatt.TX_CHAR_UUID, gatt.IDENTITY_CHAR_UUID]
    assert len(CONSTANTS) == 15
