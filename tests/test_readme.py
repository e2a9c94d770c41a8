"""What the documents show runs as it stands there.

Python of the README is run. Each command of a document, in a block or between backticks, is executed in one of these
ways; one that fits none fails the test, so that a new one has to be thought of:

- `ble-interface …`, `examples/….py …` and `python -m …`: with `--help` after its own words, which are parsed first, so
  that a command or option that does not exist fails. What they do is tested on the mock and the emulated radio, in
  tests/cli and tests/examples, and on real BlueZ in tests/bluez.
- `make …` and `tools/…`: `make -n`, and that the program is there. CI runs them (.ci/run).
- `pip install 'ble-interface[…]'`: that the extras are there. `tools/ten-minutes` installs them in a fresh Debian,
  where it runs every line of the blocks for the Raspberry Pi and for Reticulum.
- Commands of the system (`sudo`, `bluetoothctl`, …): only those in SYSTEM, with the reason why they are right.
"""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ble_cli.main import group
from ble_driver import available_drivers
from drivers.bleak_driver.remedies import REMEDIES

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCUMENTS = [README, *(ROOT / "docs" / f"{name}.md" for name in ("architecture", "protocol", "troubleshooting"))]
SNIPPETS = [s for s in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if "reticulum" not in s]

#: Commands that are not ours, and why they are right.
SYSTEM = {
    "sudo apt install bluez python3-dbus python3-gi python3-cairo python3-venv": "run by tools/ten-minutes",
    "python3 -m venv --system-site-packages venv": "run by tools/ten-minutes",
    "sudo apt install python3-dbus python3-gi": "part of that",
    "sudo apt install bluez": "part of that",
    "sudo apt install python3-cryptography": "Debian's, looked up",
    "sudo systemctl restart bluetooth": "what drivers.bleak_driver.bearers says",
    "sudo systemctl start dbus": "systemd's name of the service",
    "sudo dmesg": "Debian's",
    "sudo btmon": "comes with bluez; the rig runs it in every guest",
    "journalctl -u bluetooth -e": "systemd's",
    "bluetoothctl remove ADDRESS": "comes with bluez",
    **{text.partition(": ")[2].partition(",")[0]: "a remedy of the driver" for text in REMEDIES.values()},
}
#: The first words of what is a command between backticks.
PROGRAMS = ("sudo", "ble-interface", "venv/bin/ble-interface", "python", "python3", "pip", "venv/bin/pip", "make")
OTHERS = ("bluetoothctl", "journalctl", "btmon", "eval", "rfkill")


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_of_the_readme_runs(snippet: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", snippet], check=True, timeout=60)


def test_there_are_snippets() -> None:
    assert SNIPPETS


def commands() -> Iterator[str]:
    for document in DOCUMENTS:
        text = document.read_text()
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            yield from (line.partition("  #")[0].strip() for line in block.splitlines() if line.strip())
        for span in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            first, _, more = span.partition(" ")
            is_ours = re.fullmatch(r"(examples|tools)/[\w-]+(\.py)?", first) and (more or first.startswith("tools"))
            if (first in PROGRAMS + OTHERS and more) or is_ours:
                yield span


COMMANDS = sorted(set(commands()))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_a_document_is_right(command: str) -> None:
    if command in SYSTEM:
        return
    first, *words = shlex.split(command)
    if first.endswith("ble-interface"):
        check_ours(words)
    elif first.startswith("examples/"):
        driver = () if "--driver" in words else ("--driver", "mock")
        run_help(str(ROOT / first), *words, *driver)
    elif first == "python" and words[0] == "-m":
        run_help(*words)
    elif first == "make":
        subprocess.run(["make", "-n", *words], cwd=ROOT, check=True, capture_output=True)
    elif first.startswith("tools/"):
        assert (ROOT / first).stat().st_mode & 0o100
    elif first.endswith("pip") and words[0] == "install":
        check_extras(words[1])
    elif first == "eval":
        assert words == ["$(_BLE_INTERFACE_COMPLETE=bash_source ble-interface)"]  # run in tests/cli/test_mock.py
    else:
        pytest.fail(f"nothing executes this: {command}")


def check_ours(words: list[str]) -> None:
    """A command that was cut short by its reader, with an option of no command, or complete."""
    if words[0].startswith("-"):
        assert CliRunner().invoke(group, words).exit_code == 0
        return
    # The driver of BlueZ is not here; its option has nothing to do with the words.
    known = group.get_command(None, words[0])  # type: ignore[arg-type]
    assert known is not None, f"there is no command {words[0]}"
    takes_driver = any("--driver" in parameter.opts for parameter in known.params)
    driver = ["--driver", "mock"] if takes_driver and "--driver" not in words else []
    result = CliRunner().invoke(group, [*words, *driver, "--help"])
    assert result.exit_code == 0, result.output


def run_help(*words: str) -> None:
    interpreter = [sys.executable, *words, "--help"]
    done = subprocess.run(interpreter, cwd=ROOT, capture_output=True, text=True, check=False)
    if sys.version_info < (3, 11) and "bumble" in words[-1]:
        assert "needs Python 3.11" in done.stderr
        return
    assert done.returncode == 0, done.stderr


def check_extras(requirement: str) -> None:
    match = re.fullmatch(r"ble-interface\[([\w,]+)\]", requirement)
    assert match is not None
    there = importlib.metadata.metadata("ble-interface").get_all("Provides-Extra") or []
    assert set(match[1].split(",")) <= set(there)


def test_there_are_commands_of_every_kind() -> None:
    assert len(COMMANDS) > 30
    assert "bumble" in available_drivers()


def test_every_remedy_of_the_driver_stands_in_the_troubleshooting() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text()
    for name, remedy in REMEDIES.items():
        assert remedy.partition(": ")[2].partition(",")[0] in text, remedy
        if "Spawn" not in name:
            assert name in text


#: Messages of the code that the troubleshooting quotes, each with the module that says it.
QUOTED = {
    "is held by": "drivers/bleak_driver/claim.py",
    "is dbus-daemon running?": "drivers/bleak_driver/bluez.py",
    "there is no adapter": "drivers/bleak_driver/bluez.py",
    "is off; it is awaited: bluetoothctl power on": "drivers/bleak_driver/bluez.py",
    "bluetoothd has ended; its return is awaited": "drivers/bleak_driver/bluez.py",
    "D-Bus has ended; its return is awaited": "drivers/bleak_driver/bluez.py",
    "was removed": "drivers/bleak_driver/bluez.py",
    "has connected to us; its handshake is awaited": "drivers/bleak_driver/bluez.py",
    "bluetoothd does not answer when it is to": "drivers/bleak_driver/errors.py",
    "BlueZ cannot": "drivers/bleak_driver/errors.py",
    "bluetoothd may use": "drivers/bleak_driver/bearers.py",
    "refuses to tell its identity": "drivers/bleak_driver/central.py",
    "does not have the characteristic": "drivers/bleak_driver/central.py",
    "has our own identity": "drivers/bleak_driver/central.py",
    "cannot be heard": "drivers/bleak_driver/scanner.py",
    "cannot be loaded": "ble_driver/factory.py",
    "no driver is called": "ble_driver/factory.py",
    "no radio answers at": "drivers/bumble_driver/driver.py",
    "unknown setting": "ble_interface/reticulum.py",
}


@pytest.mark.parametrize(("message", "module"), QUOTED.items())
def test_a_quoted_message_is_that_of_the_code(message: str, module: str) -> None:
    assert message in (ROOT / "docs/troubleshooting.md").read_text()
    assert message in (ROOT / module).read_text()
