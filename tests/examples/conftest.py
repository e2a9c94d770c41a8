"""The air of the tests: their processes are gone when they end, so one is enough for all in a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reticulum.processes import radio


@pytest.fixture(scope="module")
def on_air() -> Iterator[tuple[str, ...]]:
    """The arguments that put an example on an air on which nobody else is."""
    with radio() as address:
        yield "--driver", "bumble", "--radio", address, "--json"
