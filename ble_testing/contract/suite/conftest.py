"""The rig that the command line names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ble_testing.contract.rig import Rig
from ble_testing.contract.running import RIG


@pytest.fixture
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Nodes of the radio under test."""
    rig = request.config.stash[RIG]()
    yield rig
    rig.close()
