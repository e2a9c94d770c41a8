"""The demo does what it says, says so when it cannot, and leaves nothing behind."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.demo.running import running, wait_until_gone

GOOD = (
    "alice  hears the announce of bob",
    "bob    hears the announce of alice",
    "bob    receives from alice (direct, good signature)",
    "alice  has the proof that bob received the message",
    "alice  receives from bob (opportunistic, good signature)",
    "bob    has the proof that alice received the message",
    "bob    has the file from alice: 65536 bytes",
    "alice  has the proof that bob received the file",
)


def test_two_at_the_same_time_succeed_and_clean_up(tmp_path: Path) -> None:
    with running(tmp_path) as one, running(tmp_path, "--keep", "--verbose") as other:
        for run in (one, other):
            assert run.finish() == 0, run.output
            for text in GOOD:
                assert text in run.output
            assert run.processes() == []
        assert one.left_behind() == []
        assert "| " not in one.output
        (kept,) = other.left_behind()
        assert re.search(rf"kept in \S*{kept}$", other.output, re.MULTILINE)
        assert (other.temporary / kept / "alice.log").stat().st_size > 0
        assert (other.temporary / kept / "bob" / "config").is_file()
        assert "alice  | " in other.output  # the log of Reticulum, as --verbose promises


@pytest.mark.parametrize(
    ("fault", "time_limit", "missing"),
    [
        ("mute", 4, "the message from alice at bob: it had not come when the time was up"),
        ("deaf", 5, "the proof of delivery of the message from alice to bob: it had not come when the time was up"),
        ("refusing", 20, "the 64 KiB file from alice at bob: alice reports file_failed, the transfer failed"),
        ("dying", 20, "the 64 KiB file from alice at bob: bob ended with exit code 7"),
        ("corrupting", 20, "the 64 KiB file from alice at bob: it arrived, but it is not byte-identical"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, fault: str, time_limit: float, missing: str) -> None:
    with running(tmp_path, fault=fault, time_limit=time_limit) as run:
        assert run.finish() == 1
        assert f"FAILED, missing: {missing}" in run.output
        assert "the end of the log of alice:" in run.output
        assert "the end of the log of bob:" in run.output
        assert run.processes() == []
        assert run.left_behind() == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, signum: signal.Signals) -> None:
    with running(tmp_path, fault="mute") as run:
        run.read_until("hears the announce")
        assert len(run.processes()) == 3
        run.process.send_signal(signum)
        assert run.finish() == 128 + signum
        assert f"INTERRUPTED by {signum.name}" in run.output
        assert run.processes() == []
        assert run.left_behind() == []


def test_a_killed_demo_leaves_no_process(tmp_path: Path) -> None:
    with running(tmp_path, fault="mute") as run:
        run.read_until("hears the announce")
        processes = run.processes()
        assert len(processes) == 3
        run.process.kill()
        assert wait_until_gone(processes, timeout=8)


def test_a_node_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with running(tmp_path, fault="stuck") as run:
        assert run.finish() == 0
        assert run.processes() == []
