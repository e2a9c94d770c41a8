"""What pytest loads: three options, one fixture, and nothing else until one of them is used.

    pytest --ble-contract mypackage.testing:MyRig

runs the contract suite against a driver, in whatever directory, beside the tests that are named if any are. Where two
drivers of one name need no more than options to reach each other, no rig has to be written:

    pytest --ble-contract-driver myradio --ble-contract-option port=7700
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .air import Air

pytest.register_assert_rewrite("ble_testing.contract")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ble", "Bluetooth LE drivers")
    group.addoption(
        "--ble-contract",
        metavar="MODULE:RIG",
        help="run the contract suite with this rig, a class derived from ble_testing.contract.Rig",
    )
    group.addoption(
        "--ble-contract-driver",
        metavar="NAME",
        help="run the contract suite on the driver with this name, as ble_driver.create_driver knows it",
    )
    group.addoption(
        "--ble-contract-option",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of that driver; given several times, the first value is the first node's, and so on",
    )


def pytest_configure(config: pytest.Config) -> None:
    rig, driver = config.getoption("--ble-contract"), config.getoption("--ble-contract-driver")
    options = config.getoption("--ble-contract-option")
    if rig is None and driver is None and not options:
        return
    from .contract.running import run_suite

    run_suite(config, rig, driver, options)


@pytest.fixture
def ble_air(request: pytest.FixtureRequest) -> Iterator[Air]:
    """An air on virtual time for the test of a stack: `ble_air.driver()` makes a node, `ble_air.wait` lets time pass.

    Nothing sleeps, and every run is the same. When the test ends, all drivers are stopped. See `ble_testing.air.Air`.
    Another seed of what happens by chance, or several: ``@pytest.mark.parametrize("ble_air", [1, 2], indirect=True)``.
    """
    from .air import Air

    with Air(seed=getattr(request, "param", 0)) as air:
        yield air
