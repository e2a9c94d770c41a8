"""A scanner and two clients on one adapter, as processes on one air."""

from __future__ import annotations

import signal
from pathlib import Path

from .running import EXAMPLES, example

SCRIPT = "shared_adapter.py"
OnAir = tuple[str, ...]


def test_a_scanner_and_two_clients_share_the_adapter(tmp_path: Path, on_air: OnAir) -> None:
    with (
        example(tmp_path, "connect.py", "--listen", "--name", "bob", *on_air) as bob,
        example(tmp_path, "connect.py", "--listen", "--name", "carol", *on_air) as carol,
        example(tmp_path, SCRIPT, "--rounds", "3", "--hold", "0.2", *on_air) as shared,
    ):
        assert shared.finish() == 0, shared
        done = shared.expect("done", ok=True)
        assert done["links"] == {"one": 3, "two": 3}
        assert done["advertisements"] > 0
        verified = {event["what"]: event["ok"] for event in shared.events if event["event"] == "verified"}
        assert len(verified) == 3
        assert all(verified.values())
        # One of them had to wait for the other, and the scanner was off meanwhile.
        kinds = [event["event"] for event in shared.events if event["event"] in ("scanning", "connecting", "connected")]
        assert kinds[:6] == ["scanning", "scanning", "connecting", "connected", "connecting", "connected"]
        for peer in (bob, carol):
            peer.expect("received")
            assert len([event for event in peer.events if event["event"] == "connected"]) == 3


def test_without_the_exclusion_it_says_what_does_not_hold(tmp_path: Path, on_air: OnAir) -> None:
    text = (
        (EXAMPLES / SCRIPT).read_text().replace("ExclusiveControlManager()", "ExclusiveControlManager(enabled=False)")
    )
    script = tmp_path / SCRIPT
    script.write_text(text)
    with (
        example(tmp_path, "connect.py", "--listen", *on_air),
        example(tmp_path, "connect.py", "--listen", *on_air),
        example(tmp_path, str(script), "--rounds", "1", "--hold", "0", *on_air, PYTHONPATH=str(EXAMPLES)) as shared,
    ):
        assert shared.finish() == 1, shared
        assert shared.expect("verified", what="one attempt at a time")["ok"] is False


def test_with_one_peer_only_it_says_who_had_no_link(tmp_path: Path, on_air: OnAir) -> None:
    with (
        example(tmp_path, "connect.py", "--listen", *on_air),
        example(tmp_path, SCRIPT, "--timeout", "1", *on_air) as shared,
    ):
        assert shared.finish() == 1, shared
    assert shared.expect("done", ok=False)["reason"].startswith("of 3 links client one had 0 and client two had 0")


def test_it_ends_in_order_when_interrupted(tmp_path: Path, on_air: OnAir) -> None:
    with example(tmp_path, SCRIPT, *on_air) as shared:
        shared.expect("scanning", on=True)
        code, took = shared.end_by(signal.SIGTERM)
        assert (code, took < 6.0) == (143, True), shared
        shared.expect("done", ok=False, reason="interrupted by SIGTERM")
        assert shared.errors == []
