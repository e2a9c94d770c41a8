"""The modules of `BleakDriver` where dbus-python is missing, which needs a compiler: with something in its place."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest


@contextmanager
def without_dbus(monkeypatch: pytest.MonkeyPatch, replaced: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Have the modules imported anew, and forget them at the end.

    Args:
        monkeypatch: takes it back.
        replaced: other modules that cannot be imported, with what is needed of them.
    """
    stubs: dict[str, Mapping[str, Any]] = {
        "dbus": {},
        "dbus.exceptions": {"DBusException": type("DBusException", (Exception,), {})},
        **replaced,
    }
    for name in _imported():
        monkeypatch.delitem(sys.modules, name)
    for name, content in stubs.items():
        stub: Any = ModuleType(name)
        vars(stub).update(content)
        monkeypatch.setitem(sys.modules, name, stub)
    sys.modules["dbus"].exceptions = sys.modules["dbus.exceptions"]  # type: ignore[attr-defined]
    yield
    for name in _imported():
        del sys.modules[name]  # they were made with the stubs


def _imported() -> list[str]:
    return [n for n in sys.modules if n.startswith("drivers.bleak_driver.") and not n.endswith(".power")]
