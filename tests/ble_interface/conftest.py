"""Fixtures of the interface tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .nodes import World, a_world


@pytest.fixture
def world() -> Iterator[World]:
    """An air without hardware, in virtual time."""
    with a_world() as world:
        yield world
