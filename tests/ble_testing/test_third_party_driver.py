"""A driver in a package of its own, and the guide that goes through it: both do what they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "third_party_driver"
GUIDE = (ROOT / "docs" / "driver-author-guide.md").read_text()
SOURCES = "\n".join(file.read_text() for file in [*EXAMPLE.rglob("*.py"), EXAMPLE / "pyproject.toml"])


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def _unindented(code: str) -> str:
    return re.sub(r"^[ ]+", "", code, flags=re.MULTILINE)


#: The commands of the guide, one after the other.
COMMANDS = "".join(_blocks(GUIDE, "sh")).splitlines()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The package where it is built, and an environment in which it is installed by the guide's first command."""
    place = tmp_path_factory.mktemp("driver")
    shutil.copytree(EXAMPLE, place / "source", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    target = place / "target"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(target),
        # So that it is installed beside this environment, and from what is there.
        "PIP_TARGET": str(target),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # as pip reads it, this turns isolation off
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    assert COMMANDS[0] == "pip install ."
    _run(COMMANDS[0], place / "source", environment)
    (place / "empty").mkdir()
    return place / "empty", environment


def _run(command: str, directory: Path, environment: dict[str, str]) -> str:
    ran = subprocess.run(
        command, shell=True, cwd=directory, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_it_is_found_by_its_name(installed: tuple[Path, dict[str, str]]) -> None:
    code = "import ble_driver; print(type(ble_driver.create_driver('sockets', directory='air')).__module__)"
    assert _run(f'python -c "{code}"', *installed) == "socket_radio.driver\n"


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_a_command_of_the_guide_runs_from_an_empty_directory(
    command: str, installed: tuple[Path, dict[str, str]]
) -> None:
    out = _run(command, *installed)
    assert " passed" in out
    assert "failed" not in out


def test_the_guide_shows_what_is_run() -> None:
    blocks = _blocks(GUIDE, "python") + _blocks(GUIDE, "toml")
    assert len(blocks) > 8
    for block in blocks:
        assert _unindented(block) in _unindented(SOURCES)
    assert set("".join(_blocks((EXAMPLE / "README.md").read_text(), "sh")).splitlines()) <= set(COMMANDS)


def test_what_a_node_left_behind_when_it_was_killed_harms_nobody(installed: tuple[Path, dict[str, str]]) -> None:
    """The file that advertises it stays, and nobody answers behind it."""
    code = """
import os, pathlib, time
from ble_driver import create_driver
UUIDS = [f"0000000{n}-0000-1000-8000-00805f9b34fb" for n in range(4)]
air = pathlib.Path("haunted")
air.mkdir()
(air / "C00000000001.json").write_text('{"address": "C0:00:00:00:00:01", "service": "%s", "name": null}' % UUIDS[0])
(air / "C00000000002.json").write_text("[not what it should be")
(air / "C00000000001.socket").touch()
failed, seen = [], []
driver = create_driver("sockets", directory="haunted", connect_timeout=0.5)
driver.on_connection_failed = lambda address, error: failed.append(error)
driver.on_device_discovered = lambda device: seen.append(device.address)
driver.set_identity(b"x" * 16)
driver.start(*UUIDS)
driver.start_scanning()
driver.connect("C0:00:00:00:00:01")
deadline = time.monotonic() + 10
while not (failed and seen) and time.monotonic() < deadline:
    time.sleep(0.01)
driver.stop()
print(set(seen), type(failed[0]).__name__)
"""
    out = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=installed[0],
        env=installed[1],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (out.stdout, out.stderr) == ("{'C0:00:00:00:00:01'} ConnectTimeoutError\n", "")
