"""``python -m ble_coordination`` as a user starts it."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .processes import ROOT, ask, free_port, service, take


def refused(*arguments: str, **environment: str) -> str:
    """Run a command that must end by itself; return the line that it says."""
    command = [sys.executable, "-m", "ble_coordination", "--port", "0", *arguments]
    import os

    run = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.count("\n") == 1, run.stderr
    assert run.stderr.startswith("ble_coordination: ")
    return run.stderr.strip().removeprefix("ble_coordination: ")


def test_it_serves_where_it_says_and_ends_in_order(tmp_path: Path) -> None:
    with service("--store", f"sqlite:{tmp_path / 'locks.db'}") as running:
        assert running.url.startswith("http://127.0.0.1:")
        assert ask(f"{running.url}/api/health/ready")[0] == 200
        assert running.stop() == (0, "")


def test_the_redis_url_may_come_from_the_environment(tmp_path: Path) -> None:
    text = refused(COORDINATION_REDIS_URL=f"redis://:secret@127.0.0.1:{free_port()}/0")
    assert "Redis cannot be used" in text
    assert "secret" not in text
    assert (tmp_path / "x").exists() is False


def test_systemds_directory_is_used(tmp_path: Path) -> None:
    with service(STATE_DIRECTORY=str(tmp_path)) as running:
        take(running.url)
    assert (tmp_path / "locks.db").is_file()


def test_other_hosts_need_a_token_or_a_word(tmp_path: Path) -> None:
    assert "--token-file" in refused("--host", "0.0.0.0", "--store", f"sqlite:{tmp_path / 'locks.db'}")
    arguments = ("--host", "0.0.0.0", "--without-token", "--store", f"sqlite:{tmp_path / 'locks.db'}")
    with service(*arguments) as running:
        assert ask(f"{running.url}/api/locks/status", Host="pi.example")[0] == 200


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--store", "mysql:x"], "a store is sqlite:PATH or redis://"),
        (["--store", "sqlite:/nowhere/at/all/locks.db"], "there is no directory /nowhere/at/all"),
        (["--token-file", "/nowhere/token"], "cannot be read"),
        (["--token-file", "x", "--without-token"], "exclude each other"),
        (["--prot", "5"], "unrecognized arguments"),
        (["--host", "192.0.2.1", "--without-token"], "cannot listen on 192.0.2.1:0"),
        (["--host", "nowhere.invalid", "--without-token"], "cannot listen on nowhere.invalid:0"),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_clear_line(arguments: list[str], says: str, tmp_path: Path) -> None:
    assert says in refused(*arguments, STATE_DIRECTORY=str(tmp_path))


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        says = refused("--port", str(port), STATE_DIRECTORY=str(tmp_path))
    assert says == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_uvicorn_runs_create_app(tmp_path: Path) -> None:
    import os

    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "ble_coordination:create_app", "--port", str(port)]
    environment = {**os.environ, "STATE_DIRECTORY": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "running on" in line:
                break
        assert take(f"http://127.0.0.1:{port}")["success"] is True
        process.terminate()
        process.stderr.read()
