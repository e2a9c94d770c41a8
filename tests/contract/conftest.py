"""The contract suite runs on every kind of radio that needs neither hardware nor root, or on one that is named.

    python -m pytest tests/contract --radio bluez-dials

runs it with one node on the real BlueZ of this machine, which has to be a guest of `tests.bluez`: the first, which
dials in most tests, or with ``bluez-waits`` the second.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from ble_testing.contract import Rig, offering

from .mock_rigs import RealMockRig, VirtualMockRig


def _bumble() -> Rig:
    from .bumble_rig import BumbleRig

    return BumbleRig()


def _bluez(place: int) -> Rig:
    from .bluez_rig import BlueZRig

    return BlueZRig(place)


RIGS: dict[str, Callable[[], Rig]] = {
    "mock-virtual": VirtualMockRig,
    "mock-real": RealMockRig,
    "bumble": _bumble,
    "bluez-dials": lambda: _bluez(0),
    "bluez-waits": lambda: _bluez(1),
}
#: bumble needs Python 3.11, and bluez a machine of its own.
EVERYWHERE = ("mock-virtual", "mock-real", *(("bumble",) if sys.version_info >= (3, 11) else ()))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--radio", choices=RIGS, help="the one kind of radio to run the contract suite on")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(offering, "ble-contract-offering")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "rig" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--radio", None)
        metafunc.parametrize("rig", [chosen] if chosen else EVERYWHERE, indirect=True)


@pytest.fixture
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Nodes of one kind of radio."""
    rig = RIGS[request.param]()
    yield rig
    rig.close()
