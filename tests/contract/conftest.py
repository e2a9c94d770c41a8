"""The contract suite runs on every kind of radio that needs neither hardware nor root."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from .rig import RealMockRig, Rig, VirtualMockRig

RIGS: dict[str, type[Rig]] = {"mock-virtual": VirtualMockRig, "mock-real": RealMockRig}
if sys.version_info >= (3, 11):  # what bumble needs
    from .bumble_rig import BumbleRig

    RIGS["bumble"] = BumbleRig


@pytest.fixture(params=list(RIGS))
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Nodes of one kind of radio."""
    rig = RIGS[request.param]()
    yield rig
    rig.close()
