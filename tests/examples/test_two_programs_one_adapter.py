"""Two processes share one adapter through the coordination service."""

from __future__ import annotations

from pathlib import Path

from .running import example

SCRIPT = "two_programs_one_adapter.py"


def test_one_uses_the_adapter_at_a_time_and_none_during_maintenance(tmp_path: Path) -> None:
    with example(tmp_path, SCRIPT, "--json") as run:
        assert run.finish() == 0, run
    done = run.expect("done", ok=True)
    assert "one program at a time" in done["reason"]
    order = [(event["name"], event["text"].partition(",")[0]) for event in run.events if event["event"] == "program"]
    assert [step for step in order if step[1] != "waits"] == [
        ("alice", "scans and advertises"),
        ("alice", "pauses"),
        ("bob", "scans and advertises"),
        ("alice", "scans and advertises"),
    ]
    assert ("bob", "waits") in order
    during = [event["time"] for event in run.events if event["event"] == "maintenance"]
    assert not [
        event
        for event in run.events
        if event["event"] == "program" and event["state"] == "works" and during[0] + 0.2 < event["time"] < during[1]
    ]


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with example(tmp_path, SCRIPT, "--speed", "9") as run:
        assert run.finish() == 2
    assert run.errors == [f"{SCRIPT}: unrecognized arguments: --speed 9"]
