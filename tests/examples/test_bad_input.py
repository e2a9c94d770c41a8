"""What makes no sense is refused in one plain line, with exit code 2."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .running import example

BUMBLE = ("--driver", "bumble")
MOCK = ("--driver", "mock")  # needs an air that the command line cannot give, but loads quickly


@pytest.mark.parametrize(
    ("script", "arguments", "line"),
    [
        ("scan.py", ("--driver", "bumbel"), "scan.py: no driver is called 'bumbel': did you mean 'bumble'?"),
        ("scan.py", ("--driver", "mock"), "scan.py: driver 'mock' needs the option 'air'"),
        ("scan.py", (*BUMBLE, "--radio", "7700"), "scan.py: radio must be host:port of a radio daemon"),
        ("scan.py", (*BUMBLE, "--mtu", "many"), "scan.py: mtu must be a whole number, not 'many'"),
        ("scan.py", (*MOCK, "--seconds", "-1"), "scan.py: argument --seconds: invalid number of seconds value: '-1'"),
        ("connect.py", (*BUMBLE, "--radoi", "x:1"), "has the option '--radoi': did you mean '--radio'?"),
        ("connect.py", (*BUMBLE, "alice"), "connect.py: a device address has the form AA:BB:CC:DD:EE:FF, not 'alice'"),
        ("race.py", (*BUMBLE, "alice"), "race.py: a device address has the form AA:BB:CC:DD:EE:FF, not 'alice'"),
        ("shared_adapter.py", (*BUMBLE, "bob"), "a device address has the form AA:BB:CC:DD:EE:FF, not 'bob'"),
        ("race.py", (*BUMBLE, "--adapter", "hci0"), "neither this example nor the driver 'bumble' has the option"),
        ("data_io.py", (*BUMBLE, "--name", "much too long"), "data_io.py: "),
        ("data_io.py", (*MOCK, "--kib", "0"), "data_io.py: argument --kib: invalid number, 1 or more value: '0'"),
        ("two_node_reticulum.py", ("--driver", "bumbel", "--name", "a"), "no driver is called 'bumbel'"),
        ("two_node_reticulum.py", (*BUMBLE, "--name", "a b"), "a name is letters, digits, - and _"),
        ("two_node_reticulum.py", MOCK, "the following arguments are required: --name"),
    ],
)
def test_it_is_refused_in_one_line(tmp_path: Path, script: str, arguments: tuple[str, ...], line: str) -> None:
    with example(tmp_path, script, *arguments) as run:
        assert run.finish() == 2, run
    assert len(run.errors) == 1, run
    assert line in run.errors[0]
    assert run.output == ""


def test_a_missing_extra_is_named_and_the_help_does_without(tmp_path: Path) -> None:
    (tmp_path / "dbus.py").write_text("raise ImportError(\"No module named 'dbus'\")")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    with example(tmp_path, "scan.py", PYTHONPATH=path) as run:
        assert run.finish() == 2, run
    (line,) = run.errors
    assert line.endswith("Install what it needs: pip install 'ble-interface[bleak]'")
    with example(tmp_path, "scan.py", "--help", PYTHONPATH=path) as run:
        assert run.finish() == 0, run
    assert "--seconds" in run.output


def test_the_help_shows_the_options_of_the_driver(tmp_path: Path) -> None:
    with example(tmp_path, "connect.py", "--help", *BUMBLE) as run:
        assert run.finish() == 0, run
    assert "On two Raspberry Pis" in run.output
    assert "--radio VALUE" in run.output
