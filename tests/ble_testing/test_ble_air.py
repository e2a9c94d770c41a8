"""The fixture for people who test their own stack."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ble_driver import Role
from ble_testing.air import Air

pytest_plugins = ["pytester"]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "test_my_stack.py"
UUIDS = [f"0000000{n}-0000-1000-8000-00805f9b34fb" for n in range(4)]


def test_the_example_passes_where_it_is_copied_to(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_my_stack=EXAMPLE.read_text())
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)


def test_nodes_meet_on_virtual_time(ble_air: Air) -> None:
    alice, bob = ble_air.driver(), ble_air.driver(mtu=23)
    for driver in (alice, bob):
        driver.set_identity(driver.address.encode()[-16:])
        driver.start(UUIDS[0], UUIDS[1], UUIDS[2], UUIDS[3])
        driver.start_advertising()
    alice.connect(bob.address)
    ble_air.wait(lambda: alice.connected_peers and bob.connected_peers, timeout=5)
    assert alice.peer_role(bob.address) is Role.CENTRAL
    begun = ble_air.dispatcher.time()
    ble_air.run_for(3600)
    assert 3600 <= ble_air.dispatcher.time() - begun < 3601


def test_what_does_not_happen_fails_the_test(ble_air: Air) -> None:
    with pytest.raises(AssertionError, match="within 2 s of virtual time"):
        ble_air.wait(lambda: False, timeout=2)


@pytest.mark.parametrize("ble_air", [1, 2], indirect=True)
def test_the_seed_can_be_chosen(ble_air: Air, request: pytest.FixtureRequest) -> None:
    seed = request.node.callspec.params["ble_air"]
    with Air(seed=seed) as same:
        assert ble_air.random.random() == same.random.random()


def test_what_a_test_started_is_stopped_when_it_ends() -> None:
    with Air() as air:
        driver = air.driver()
        driver.start(UUIDS[0], UUIDS[1], UUIDS[2], UUIDS[3])
        driver.start_scanning()
        air.run_for(1)
    assert not driver.is_listening
    assert "virtual-air" not in [thread.name for thread in threading.enumerate()]


def test_a_test_that_fails_is_cleaned_up_as_well(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        UUIDS = [f"0000000{n}-0000-1000-8000-00805f9b34fb" for n in range(4)]

        def test_fails(ble_air):
            ble_air.driver().start(*UUIDS)
            ble_air.run_for(1)
            assert False
    """)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(failed=1)


def test_the_fixture_is_explained(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures")
    result.stdout.fnmatch_lines(["ble_air*", "*An air on virtual time for the test of a stack*"])
