"""What docs/coordination.md tells an operator to type does what it says."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from ble_coordination.__main__ import _parse
from ble_driver.options import text_options_of
from drivers.mock_ble_driver import MockBLEDriver

from .processes import ROOT, Redis, ask, free_port, service, until

TEXT = (ROOT / "docs" / "coordination.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def block(containing: str, language: str = "sh") -> str:
    (found,) = [text for text in blocks(language) if containing in text]
    return found


@contextmanager
def typed(command: str, directory: Path, port: int) -> Iterator[str]:
    """Run a command that serves, with this Python; yield the URL of what it starts."""
    program = command.replace("python ", f"PYTHONPATH={ROOT} exec {sys.executable} ")
    with subprocess.Popen(["sh", "-c", program], cwd=directory, stdout=subprocess.PIPE, text=True) as running:
        try:
            url = f"http://127.0.0.1:{port}"

            def ready() -> bool:
                assert running.poll() is None
                try:
                    return ask(f"{url}/api/health/ready")[0] == 200
                except URLError:
                    return False

            until(ready, command)
            yield url
        finally:
            running.terminate()


def run_in(directory: Path, commands: str) -> list[dict[str, object]]:
    """Run shell commands that print JSON; return what."""
    result = subprocess.run(
        ["sh", "-ec", commands], cwd=directory, capture_output=True, text=True, timeout=60, check=True
    )
    decoder, text, found = json.JSONDecoder(), result.stdout, []
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


def test_the_first_commands_take_and_release(tmp_path: Path) -> None:
    port = free_port()
    start = block("pip install").splitlines()[1]
    with typed(f"XDG_STATE_HOME={tmp_path} {start} --port {port}", tmp_path, port):
        taken, held, released, status = run_in(tmp_path, block("new antenna").replace("60620", str(port)))
    assert taken["success"] is True
    assert held["locked"] is True
    assert released["success"] is True
    assert status["devices"] == []


def test_the_token(tmp_path: Path) -> None:
    make, serve = block("openssl rand").rsplit("python", 1)
    run_in(tmp_path, make)
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
    port = free_port()
    command = f"XDG_STATE_HOME={tmp_path} python{serve}".strip().replace("60621", str(port))
    with typed(command, tmp_path, port):
        (status,) = run_in(tmp_path, block("cat token)").replace("60621", str(port)))
    assert status["devices"] == []


def test_redis(redis: Redis, tmp_path: Path) -> None:
    port = free_port()
    command = block("--store redis").strip().replace("6379", str(redis.port))
    with typed(f"{command} --port {port}", tmp_path, port) as url:
        assert ask(f"{url}/api/locks/status")[0] == 200


def test_the_program_in_python(tmp_path: Path) -> None:
    with service("--store", f"sqlite:{tmp_path / 'locks.db'}") as running:
        program = block("asyncio.run", "python").replace("http://127.0.0.1:60620", running.url)
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=True
        )
    assert "we have it, fencing number 1" in result.stdout
    assert "Action.RELEASED" in result.stdout or "Action.ACQUIRED" in result.stdout


def test_the_unit_starts_what_there_is() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block("ExecStart", "ini"))
    program, *arguments = unit["Service"]["ExecStart"].split()
    assert program.endswith("/bin/python")
    assert arguments[:2] == ["-m", "ble_coordination"]
    assert _parse(arguments[2:]).host == "127.0.0.1"
    assert unit["Service"]["StateDirectory"] == "ble-coordination"


def test_the_options_of_drivers_are_there() -> None:
    section = block("[[Bluetooth]]", "ini")
    options = text_options_of(MockBLEDriver)
    for name in ("coordination", "coordination_mode", "coordination_device"):
        assert name in options
        assert re.search(rf"`?{name} = ", TEXT), name
    assert "coordination = http://127.0.0.1:60620" in section


def test_every_bound_and_error_is_the_code_s() -> None:
    from ble_coordination import errors, limits

    codes = {
        cls.code: str(cls.status)
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.CoordinationError)
    }
    for code in ("unauthorized", "not_loopback", "foreign_origin", "invalid_json", "too_many_sockets", "body_timeout"):
        line = next(line for line in TEXT.splitlines() if f"`{code}`" in line and line.startswith("|"))
        assert codes[code] in line
    for number in (limits.MAX_DEVICES, limits.MAX_WAITERS, limits.MAX_SOCKETS, f"{limits.MAX_WAIT:g}"):
        assert str(number) in TEXT
    assert f"{limits.MIN_LEASE:g} to {limits.MAX_LEASE:,.0f}" in TEXT
