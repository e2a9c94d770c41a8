"""The contract suite by one option, from anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]

RIGS = """
    from ble_driver import BLEDriverInterface
    from ble_testing.contract import RealTimeRig, VirtualTimeRig
    from drivers.mock_ble_driver import MockBLEDriver, VirtualAir

    class SmallRig(VirtualTimeRig):
        "No more than a rig must have."

        def __init__(self):
            super().__init__()
            self.air = VirtualAir(self.dispatcher)

        def make_driver(self, **options):
            return MockBLEDriver(self.air, **options)

    class Choosy(SmallRig):
        def __init__(self, port):
            "It wants something that nobody gives."

    class Lazy(RealTimeRig):
        "It makes no driver."

    class NoRig:
        "Not what it should be."
"""


@pytest.fixture
def here(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A directory without tests, and a package with rigs that is installed elsewhere."""
    elsewhere = pytester.path / "elsewhere"
    elsewhere.mkdir()
    pytester.makepyfile(**{"elsewhere/my_rigs": RIGS})
    monkeypatch.setenv("PYTHONPATH", f"{elsewhere}:{ROOT}")
    monkeypatch.chdir(pytester.mkdir("empty"))
    return pytester


def test_the_whole_suite_passes_on_the_mock_driver(here: pytest.Pytester) -> None:
    result = here.runpytest_subprocess("--ble-contract", "tests.contract.mock_rigs:VirtualMockRig", "-W", "error")
    outcomes = result.parseoutcomes()
    assert outcomes.pop("passed") > 100
    assert outcomes == {}
    assert result.ret == 0


def test_what_a_rig_does_not_offer_is_told_and_not_hidden(here: pytest.Pytester) -> None:
    result = here.runpytest_subprocess("--ble-contract", "my_rigs:SmallRig")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*= not offered by this rig =*",
            "faults while a link is set up (strike): 29 tests, the first of them test_faults.py::*",
            "a node that vanishes (vanish): 1 tests, the first of them test_links.py::test_a_peer_that_vanishes*",
            "* passed, *not offered by this rig in *",
        ]
    )
    assert "skipped" not in result.stdout.str()


def test_tests_that_are_named_run_as_well(here: pytest.Pytester) -> None:
    Path("test_own.py").write_text("def test_own(): pass\n")
    small = ("--ble-contract", "my_rigs:SmallRig", "-k", "own or name")
    here.runpytest_subprocess("test_own.py", *small).stdout.fnmatch_lines(["test_own.py .*", "*test_discovery.py .*"])
    assert "test_own" not in here.runpytest_subprocess(*small).stdout.str()


def test_a_project_with_settings_of_its_own_is_no_hindrance(here: pytest.Pytester) -> None:
    Path("pytest.ini").write_text("[pytest]\npython_files = check_*.py\ntestpaths = checks\nfilterwarnings = error\n")
    Path("checks").mkdir()
    result = here.runpytest_subprocess("--ble-contract", "my_rigs:SmallRig", "-k", "bad_calls or order")
    outcomes = result.parseoutcomes()
    assert outcomes.pop("deselected") > 100  # the whole suite was there to choose from
    assert outcomes == {"passed": 3}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ble-contract", "my_rigs"], "wants module:rig, such as mypackage.testing:MyRig, not 'my_rigs'"),
        (["--ble-contract", ":SmallRig"], "wants module:rig"),
        (["--ble-contract", "her_rigs:SmallRig"], "her_rigs cannot be imported: No module named 'her_rigs'"),
        (["--ble-contract", "my_rigs:SmalRig"], "my_rigs has no 'SmalRig': did you mean 'SmallRig'?"),
        (["--ble-contract", "my_rigs:NoRig"], "is not derived from ble_testing.contract.Rig"),
        (["--ble-contract", "my_rigs:Lazy"], "Lazy lacks make_driver"),
        (["--ble-contract", "my_rigs:Choosy"], "Choosy is made without arguments: missing a required argument: 'port'"),
        (["--ble-contract-driver", "mok"], "no driver is called 'mok': did you mean 'mock'?"),
        (["--ble-contract-driver", "mock"], "driver 'mock' needs the option 'air'"),
        (["--ble-contract-driver", "mock", "--ble-contract-option", "mtu"], "wants key=value, not 'mtu'"),
        (
            ["--ble-contract-driver", "mock", "--ble-contract-option", "mtu=big"],
            "mtu must be a whole number, not 'big'",
        ),
        (["--ble-contract-driver", "mock", "--ble-contract-option", "mtuu=23"], "has no option 'mtuu': did you mean"),
        (["--ble-contract-option", "mtu=23"], "is for the driver of --ble-contract-driver, which is not given"),
        (["--ble-contract", "my_rigs:SmallRig", "--ble-contract-driver", "mock"], "exclude each other"),
    ],
)
def test_a_bad_value_is_named(here: pytest.Pytester, arguments: list[str], message: str) -> None:
    result = here.runpytest_subprocess(*arguments)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_a_module_that_fails_is_told_with_what_it_says(here: pytest.Pytester) -> None:
    Path("../elsewhere/broken_module.py").write_text("import nothing_of_that_name\n")
    result = here.runpytest_subprocess("--ble-contract", "broken_module:Rig")
    assert "broken_module cannot be imported: No module named 'nothing_of_that_name'" in result.stderr.str()


def test_others_who_run_pytest_notice_nothing(here: pytest.Pytester) -> None:
    """The plugin is loaded in every project of an environment with this library: it brings in nothing but itself."""
    Path("test_own.py").write_text(
        "import sys\n"
        "def test_own():\n"
        "    ours = ('ble_driver', 'ble_interface', 'drivers', 'ble_testing')\n"
        "    print('loaded', [m for m in sys.modules if m.split('.')[0] in ours])\n"
    )
    result = here.runpytest_subprocess("-s", "-W", "error")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*loaded [[]'ble_testing', 'ble_testing.plugin'[]]*"])


def test_neither_the_library_nor_its_drivers_need_pytest() -> None:
    modules = "ble_driver, ble_interface, drivers.mock_ble_driver, ble_testing.air"
    code = f"import sys, {modules}; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
