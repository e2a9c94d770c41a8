"""Our section gets into Reticulum's configuration and out again, and nothing else there changes."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from ble_cli.main import group
from ble_cli.programs.command import UsageError
from ble_cli.reticulum_config import edit, load_check
from ble_cli.reticulum_config.directory import Directory, perform
from ble_cli.reticulum_config.edit import ConfigurationError
from ble_cli.reticulum_config.places import configuration_directory

CONFIG = """\
[reticulum]
  enable_transport = No  # a comment

[logging]
  loglevel = 4
[interfaces]
  [[Default Interface]]
    type = AutoInterface
    enabled = Yes

# the end"""
KEYS = {"driver": "mock", "passphrase": "a, b # 'c'"}

line = st.sampled_from(
    ["[interfaces]", "  [ interfaces ] # x", "[logging]", "  [[One]]", "    [[[Two]]]", "a = b", "# text", "", "  "]
)


@given(st.lists(line), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_out_comes_byte_for_byte_what_went_in(lines: list[str], newline: str, ended: bool) -> None:
    text = newline.join(lines) + (newline if ended else "")
    once = edit.install(text, KEYS)
    assert once.count(edit.BEGIN) == 1
    assert edit.install(once, KEYS) == once
    assert edit.uninstall(once) == text
    assert edit.uninstall(edit.install(once, {"driver": "bumble"})) == text


@given(st.text())
def test_what_never_had_our_section_is_left_as_it_is(text: str) -> None:
    assert edit.uninstall(text) == text


@given(st.text(st.characters(codec="utf-8")))
def test_a_value_is_read_back_or_refused(value: str) -> None:
    from RNS.vendor.configobj import ConfigObj

    try:
        text = edit.install("", {"passphrase": value})
    except ConfigurationError:
        return
    assert ConfigObj(text.splitlines())["interfaces"]["Bluetooth"]["passphrase"] == value


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(group, [str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for rnsd, which the last tests run for good."""
    tried: list[str] = []

    def why_not(section: str, rnsd: str) -> None:
        tried.append(section)

    monkeypatch.setattr(load_check, "why_not", why_not)
    return tried


def test_installed_twice_is_once_and_uninstalled_is_as_before(tmp_path: Path, loads: list[str]) -> None:
    config, file = tmp_path / "config", tmp_path / "interfaces/BLEInterface.py"
    config.write_text(CONFIG)
    config.chmod(0o640)
    for _ in range(2):
        assert run("install-reticulum", "--config", tmp_path, "--driver", "mock").return_value == 0
    assert config.read_text().count("[[Bluetooth]]") == 1
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert file.read_text() == "from ble_interface.reticulum import interface_class\n"
    (backup,) = tmp_path.glob("config.backup-*")
    assert backup.read_text() == CONFIG
    assert len(loads) == 2
    assert run("uninstall", "--config", tmp_path).return_value == 0
    assert config.read_text() == CONFIG
    assert not file.exists()
    assert "nothing of ble-interface is there" in run("uninstall", "--config", tmp_path).output


def test_other_options_replace_the_section(tmp_path: Path, loads: list[str]) -> None:
    (tmp_path / "config").write_text(CONFIG)
    run("install-reticulum", "--config", tmp_path, "--driver", "mock")
    run("install-reticulum", "--config", tmp_path, "--driver", "mock", "--passphrase", "secret")
    text = (tmp_path / "config").read_text()
    assert text.count("[[Bluetooth]]") == 1
    assert 'passphrase = "secret"' in text


def test_a_dry_run_shows_and_changes_nothing(tmp_path: Path, loads: list[str]) -> None:
    (tmp_path / "config").write_text(CONFIG)
    result = run("install-reticulum", "--config", tmp_path, "--driver", "mock", "--dry-run")
    assert "+  [[Bluetooth]]" in result.output
    assert "+from ble_interface.reticulum import interface_class" in result.output
    assert sorted(tmp_path.iterdir()) == [tmp_path / "config"]
    assert (tmp_path / "config").read_text() == CONFIG
    assert loads == []


def test_without_a_configuration_reticulums_own_is_the_start(tmp_path: Path, loads: list[str]) -> None:
    run("install-reticulum", "--config", tmp_path / "new", "--driver", "mock")
    text = (tmp_path / "new/config").read_text()
    assert "[[Default Interface]]" in text
    assert "[[Bluetooth]]" in text
    assert stat.S_IMODE((tmp_path / "new/config").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (CONFIG.replace("Default Interface", "Bluetooth"), "has not added"),
        ("[interfaces\n", "Reticulum cannot read"),
        ('[reticulum]\nx = """\n[interfaces]\n"""\n', "cannot be edited safely"),
    ],
)
def test_what_cannot_be_edited_safely_is_refused(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(ConfigurationError, match=word):
        Directory(tmp_path).install(KEYS)


def test_somebody_elses_interface_file_is_neither_overwritten_nor_removed(tmp_path: Path) -> None:
    file = tmp_path / "interfaces/BLEInterface.py"
    file.parent.mkdir()
    file.write_text("interface_class = None\n")
    with pytest.raises(ConfigurationError, match="somebody else's"):
        Directory(tmp_path).install(KEYS)
    perform(Directory(tmp_path).uninstall())
    assert file.exists()


def test_a_configuration_that_is_a_link_stays_one(tmp_path: Path, loads: list[str]) -> None:
    (tmp_path / "real").write_text(CONFIG)
    (tmp_path / "config").symlink_to("real")
    run("install-reticulum", "--config", tmp_path, "--driver", "mock")
    assert (tmp_path / "config").is_symlink()
    assert "[[Bluetooth]]" in (tmp_path / "real").read_text()


def test_reticulum_is_looked_for_where_it_looks_itself(tmp_path: Path) -> None:
    root, home = tmp_path / "root", tmp_path / "home"
    assert configuration_directory(root, home) == home / ".reticulum"
    for place in (home / ".config/reticulum", root / "etc/reticulum"):
        place.mkdir(parents=True)
        (place / "config").touch()
        assert configuration_directory(root, home) == place


def test_an_option_that_the_driver_has_not_is_refused(tmp_path: Path) -> None:
    assert CliRunner().invoke(group, ["install-reticulum", "--driver", "mock", "--radio", "x"]).exit_code == 2
    with pytest.raises(UsageError, match="did you mean"):
        CliRunner().invoke(
            group, ["install-reticulum", "--driver", "mok"], standalone_mode=False, catch_exceptions=False
        )


# --- with rnsd ------------------------------------------------------------------------------------------------------


def test_rnsd_loads_what_was_installed(tmp_path: Path) -> None:
    pytest.importorskip("bumble", reason="needs Python 3.11")
    result = run("install-reticulum", "--config", tmp_path, "--driver", "bumble", "--passphrase", "a, b")
    assert result.return_value == 0, result.output
    assert "loads it" in result.output


def test_rnsd_says_what_it_does_not_load() -> None:
    rnsd = load_check.find_rnsd()
    assert rnsd is not None
    section = "\n".join(edit.section_lines({"driver": "mock", "adress": "x"}))
    assert load_check.why_not(section, rnsd) == "unknown setting 'adress': did you mean 'address'?"
    assert "rnsd ended" in str(load_check.why_not(section, "false"))
