"""A sweep over a Dask cluster: a scheduler and two workers, processes of this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .running import run

SMALL = ("--nodes", "10", "--minutes", "1", "--seeds", "1-6", "--json")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler that has two workers."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    here = ("--host", "127.0.0.1", "--no-dashboard")
    programs = [
        ("distributed.cli.dask_scheduler", *here, "--port", f"{port}"),
        *[("distributed.cli.dask_worker", address, *here, "--nthreads", "1", "--no-nanny", "--name", f"w{n}")
          for n in range(2)],
    ]  # fmt: skip
    with ExitStack() as stack:
        for module, *arguments in programs:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", module, *arguments],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=tmp_path,
                    env={**os.environ, "PYTHONPATH": os.getcwd()},
                )
            )
            stack.callback(process.terminate)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield address


def test_it_has_the_same_outcomes_as_on_this_machine(cluster: str) -> None:
    there = run(*SMALL, "--dask", cluster)
    assert there.returncode == 0, there.stderr
    here = run(*SMALL)
    outcomes = [[json.loads(line) for line in done.stdout.splitlines()] for done in (there, here)]
    for outcome in (*outcomes[0], *outcomes[1]):
        del outcome["cost"]
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) == 6


def test_a_scheduler_that_is_not_there_is_named() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    done = run(*SMALL, "--dask", address)
    assert done.returncode == 2
    assert f"ble_interface.simulate: ClusterError: no Dask scheduler answers at {address}" in done.stderr
    assert "Traceback" not in done.stderr
