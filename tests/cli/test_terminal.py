"""What is drawn on a terminal: commands in a pseudo-terminal of 80 columns, looked at as their user sees them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

COLUMNS, ROWS, PATIENCE = 80, 24, 30.0


def drawn(directory: Path, *arguments: str, until: str, **environment: str) -> str:
    """Run a command on a terminal until it has drawn something, then press Ctrl-C; return all that came."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "ble_cli", *arguments],
        cwd=directory,
        env={**os.environ, "TERM": "xterm-256color", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    text, deadline, pressed = "", time.monotonic() + PATIENCE, False
    try:
        while time.monotonic() < deadline and select.select([ours], [], [], PATIENCE)[0]:
            try:
                text += os.read(ours, 65_536).decode(errors="replace")
            except OSError:
                break  # it has ended
            if not pressed and re.search(until, text):
                process.send_signal(signal.SIGINT)
                pressed = True
        assert pressed, text
        assert process.wait(PATIENCE) in (0, 1, 130), text
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return text


def lines(text: str) -> list[str]:
    """What is on the screen, line by line, without the commands to the terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n").replace("\r", "\n").splitlines()


def test_scan_draws_a_table_with_bars(tmp_path: Path) -> None:
    text = drawn(tmp_path, "scan", "--driver", "mock", until="█")
    (row, *_) = [line for line in lines(text) if "00:B1:E0" in line]
    assert re.search(r"echo +-60 +█{8} ", row), row
    assert all(len(line) <= COLUMNS for line in lines(text) if "scanning" not in line)
    assert "Traceback" not in text


def test_without_colour_there_is_none(tmp_path: Path) -> None:
    text = drawn(tmp_path, "scan", "--driver", "mock", until="█", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text)


def test_sending_draws_a_bar(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1 << 18))
    text = drawn(tmp_path, "send", "file", "--driver", "mock", until="━")
    assert any("file" in line and "━" in line for line in lines(text))
    assert "Traceback" not in text


def test_monitor_draws_the_nodes(tmp_path: Path) -> None:
    serving = subprocess.Popen(
        [sys.executable, "-m", "ble_cli", "bench", "--driver", "mock", "--json"], stdout=subprocess.DEVNULL
    )
    try:
        text = drawn(tmp_path, "monitor", until=r"(?s)bench.*active [cp]")  # there may be other nodes on this host
    finally:
        serving.terminate()
        serving.wait(PATIENCE)
    assert any(line.startswith("bench (process") for line in lines(text))
    assert all(len(line) <= COLUMNS for line in lines(text))
    assert "Traceback" not in text
