"""Every command with a radio works on the mock driver, where somebody is made up to meet."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from ble_cli.main import COMMANDS, group

from .running import command


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "--seconds", "0.5"),
        ("send", "file", "--timeout", "20"),
        ("receive", "--to", "there", "--timeout", "20"),
        ("bench", "echo", "--kib", "10"),
    ],
)
def test_it_works_without_a_radio(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "file").write_bytes(bytes(3000))
    (tmp_path / "there").mkdir()
    with command(tmp_path, *arguments, "--driver", "mock", "--json") as one:
        assert one.finish() == 0, one
    assert one.expect("done", ok=True)
    assert one.errors == []


def test_a_chat_without_a_radio(tmp_path: Path) -> None:
    with command(tmp_path, "chat", "--driver", "mock", "--json", stdin=subprocess.PIPE) as chat:
        assert chat.process.stdin is not None
        chat.process.stdin.write("hello\n")
        chat.process.stdin.flush()
        chat.expect("verified", number=1, name="echo")
        chat.expect("received", name="echo", text="hello")
        chat.process.stdin.close()
        assert chat.finish() == 0, chat
    assert chat.errors == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_in_80_columns(name: str) -> None:
    result = CliRunner().invoke(group, [name, "--help"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert len(result.output.splitlines()) >= 8
    assert all(len(line) <= 80 for line in result.output.splitlines())


def test_the_list_of_commands_fits_too() -> None:
    result = CliRunner().invoke(group, ["--help"], env={"COLUMNS": "80"})
    assert all(len(line) <= 80 for line in result.output.splitlines())
    assert all(name in result.output for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["scan", "--driver", "bumbel"], "ble-interface: no driver is called 'bumbel': did you mean 'bumble'?"),
        (["bench", "x", "--driver", "mock", "--mtu", "many"], "ble-interface: mtu must be a whole number, not 'many'"),
        (["scan", "--driver", "mock", "--all"], "ble-interface: --all shows what BlueZ hears: it needs --driver bleak"),
        (["send", "/dev/null", "--driver", "mock"], "ble-interface: /dev/null has 0 bytes: a file may have 1 to"),
        (["scna"], "No such command 'scna'"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: list[str], line: str) -> None:
    with command(tmp_path, *arguments) as refused:
        assert refused.finish() == 2, refused
    assert line in refused.errors[-1]
    assert refused.output == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there(tmp_path: Path, shell: str) -> None:
    with command(tmp_path, _BLE_INTERFACE_COMPLETE=f"{shell}_source") as script:
        script.finish()
    assert "ble-interface" in script.output


@pytest.mark.parametrize("module", ["click", "rich"])
def test_without_the_extra_it_says_what_to_install(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError('no {module}', name='{module}')\n")
    with command(tmp_path, "doctor", PYTHONPATH=str(tmp_path)) as one:
        assert one.finish() == 2
    assert one.errors == [
        f"ble-interface: {module} is not installed; the command needs it: pip install 'ble-interface[cli]'"
    ]
