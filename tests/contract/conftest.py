"""The contract suite runs on every kind of radio that needs neither hardware nor root."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .bumble_rig import BumbleRig
from .rig import RealMockRig, Rig, VirtualMockRig

RIGS: dict[str, type[Rig]] = {"mock-virtual": VirtualMockRig, "mock-real": RealMockRig, "bumble": BumbleRig}


@pytest.fixture(params=list(RIGS))
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Nodes of one kind of radio."""
    rig = RIGS[request.param]()
    yield rig
    rig.close()
