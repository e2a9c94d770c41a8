"""The program: what it takes, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ble_interface.simulate.command_line import main
from ble_interface.simulate.station import Station

from .running import SIMULATE, run

SMALL = ("--nodes", "12", "--minutes", "1")


def test_it_tells_people_machines_and_draws(tmp_path: Path) -> None:
    plot = tmp_path / "mesh.svg"
    done = run(*SMALL, "--seed", "3", "--plot", str(plot))
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 nodes, 1 minutes, seed 3" in done.stdout
    ElementTree.parse(plot)
    (line,) = run(*SMALL, "--seed", "3", "--json").stdout.splitlines()
    assert json.loads(line)["scenario"] == {"nodes": 12, "minutes": 1.0, "seed": 3, "churn": 0.0, "loss": 0.0}


def test_a_sweep_runs_every_seed_in_order() -> None:
    done = run(*SMALL, "--seeds", "3-6", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    swept = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome["scenario"]["seed"] for outcome in swept] == [3, 4, 5, 6]
    alone = json.loads(run(*SMALL, "--seed", "4", "--json").stdout)
    del alone["cost"], swept[1]["cost"]
    assert alone == swept[1]
    assert "4 runs" in run(*SMALL, "--seeds", "3-6").stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--nodes", "many"), "UsageError: argument --nodes: invalid int value: 'many'"),
        (("--nodes", "1"), "ScenarioError: nodes must be from 2 to 100000, not 1"),
        (("--minutes", "nan"), "ScenarioError: minutes must be from 0.1 to 100000, not nan"),
        (("--loss", "2"), "ScenarioError: loss must be from 0 to 0.9, not 2"),
        (("--churn", "-1"), "ScenarioError: churn must be from 0 to 60, not -1"),
        (("--seeds", "9-1"), "UsageError: argument --seeds: seeds are two numbers such as 1-100"),
        (("--seeds", "1-999999"), "UsageError: argument --seeds: a sweep has at most 100000 seeds"),
        (("--seed", "1", "--seeds", "1-2"), "UsageError: argument --seeds: not allowed with argument --seed"),
        (("--seeds", "1-2", "--plot", "x.svg"), "UsageError: --plot draws one run"),
        (("--plot", "/nowhere/x.svg"), "UsageError: --plot cannot write /nowhere/x.svg: No such file or directory"),
        (("--dask", "tcp://127.0.0.1:1"), "UsageError: --dask spreads runs over a cluster"),
        (("--node", "5"), "UsageError: unrecognized arguments: --node 5"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (error,) = printed.err.splitlines()
    assert error.startswith(f"ble_interface.simulate: {line}")


def read_until(terminal: int, text: bytes) -> bytes:
    """Return what is drawn on a terminal up to a text, or to its end if there is none."""
    drawn = b""
    while not text or text not in drawn:
        try:
            drawn += os.read(terminal, 4096)
        except OSError:  # the other side is closed
            break
    return drawn


@pytest.mark.parametrize("many", [False, True])
def test_ctrl_c_ends_it_cleanly(many: bool) -> None:
    seeds = ("--seeds", "1-8") if many else ()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*SIMULATE, "--nodes", "50", "--minutes", "10000", *seeds],
        stdout=subprocess.DEVNULL, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        read_until(ours, b"[...")
        time.sleep(2.0)  # until a sweep has its workers
        process.send_signal(signal.SIGINT)  # to it alone: its workers are its own business
        assert process.wait(timeout=30) == 130
        assert read_until(ours, b"").endswith(b"\r\x1b[Kble_interface.simulate: interrupted\r\n")
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)  # nobody of its session is left
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


def test_ctrl_c_is_not_the_failure_of_the_task_that_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def press() -> None:
        signal.raise_signal(signal.SIGINT)

    tasks = []
    monkeypatch.setattr(Station, "switch_on", lambda _: tasks.append(asyncio.ensure_future(press())))
    assert main(SMALL) == 130
    tasks.clear()  # asyncio tells of failures that nobody has taken
    gc.collect()
    assert capsys.readouterr().err == "ble_interface.simulate: interrupted\n"
    assert not caplog.records


def test_a_terminal_gets_a_progress_bar_that_leaves_no_trace() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([*SIMULATE, *SMALL], stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        drawn = read_until(ours, b"")
    os.close(ours)
    assert process.returncode == 0
    assert b"[###" in drawn
    assert b"100%" in drawn
    assert drawn.endswith(b"\r\x1b[K")


def test_the_package_itself_imports_no_driver() -> None:
    code = "import sys, ble_interface; assert not [n for n in sys.modules if n.startswith(('drivers', 'distributed'))]"
    subprocess.run([sys.executable, "-c", code], check=True)
