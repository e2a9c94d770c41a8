"""The contract suite fails for every driver that breaks a rule."""

from __future__ import annotations

import pytest

from .broken_drivers import BROKEN

pytest_plugins = ["pytester"]

RIG = """
from tests.ble_testing.broken_drivers import BROKEN
from tests.contract.mock_rigs import VirtualMockRig

class BrokenRig(VirtualMockRig):
    driver_type, _ = BROKEN[{name!r}]
"""


@pytest.mark.parametrize("broken", BROKEN)
def test_a_driver_that_breaks_a_rule_fails_the_suite(broken: str, pytester: pytest.Pytester) -> None:
    _, test = BROKEN[broken]
    pytester.makepyfile(broken_rig=RIG.format(name=broken))
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess(
        "--ble-contract", "broken_rig:BrokenRig", "-k", test, "-p", "no:cacheprovider"
    )
    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) > 0
