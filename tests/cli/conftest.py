"""The air of the tests of commands, as in tests/examples."""

from __future__ import annotations

from tests.examples.conftest import on_air

__all__ = ["on_air"]
