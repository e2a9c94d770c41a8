"""Whether a person is told of several ATT bearers."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.bleak_driver.bearers import DEFAULT_CONFIGURATION, bearers, complaint, configuration_of

DEBIAN_12 = (
    "[GATT]\n# Number of ATT channels\n# Possible values: 1-5 (1 disables EATT)\n# Default to 3\n#Channels = 3\n"
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (DEBIAN_12, 3),
        (DEBIAN_12.replace("#Channels = 3", "Channels = 1"), 1),
        (DEBIAN_12 + "Channels=1\n", 1),
        ("Channels = 1\n#Channels = 3\n", 1),
        ("#Channels = 1\n", 1),
        ("", 1),
        ("Channels = many\n", 1),
    ],
)
def test_what_is_set_counts_before_what_is_shipped(text: str, count: int) -> None:
    assert bearers(text) == count


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b"/usr/libexec/bluetooth/bluetoothd\0", DEFAULT_CONFIGURATION),
        (b"bluetoothd\0-n\0-f\0/run/other.conf\0", Path("/run/other.conf")),
        (b"bluetoothd\0--configfile=/run/other.conf\0-d\0", Path("/run/other.conf")),
    ],
)
def test_the_configuration_is_the_one_that_runs(line: bytes, path: Path) -> None:
    assert configuration_of(line) == path


def test_a_person_is_told_what_to_change(tmp_path: Path) -> None:
    configuration = tmp_path / "main.conf"
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes(f"bluetoothd\0-f\0{configuration}\0".encode())
    assert complaint(7, tmp_path) is None  # there is no such file
    configuration.write_text(DEBIAN_12)
    told = complaint(7, tmp_path)
    assert told is not None
    assert "Channels = 1" in told
    assert str(configuration) in told
    configuration.write_text("[GATT]\nChannels = 1\n")
    assert complaint(7, tmp_path) is None
    assert complaint(8, tmp_path) is None  # there is no such process
