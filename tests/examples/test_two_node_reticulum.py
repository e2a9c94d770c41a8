"""Two Reticulum nodes, each started by one command."""

from __future__ import annotations

import signal
from pathlib import Path

from .running import example

SCRIPT = "two_node_reticulum.py"


def test_both_directions_succeed_and_nothing_is_left(tmp_path: Path, on_air: tuple[str, ...]) -> None:
    common = ("--passphrase", 'a "secret", # with hashes', "--hold", "0.3", *on_air)
    with (
        example(tmp_path, SCRIPT, "--name", "alice", *common, TMPDIR=str(tmp_path)) as alice,
        example(tmp_path, SCRIPT, "--name", "bob", "--config", "kept", *common, TMPDIR=str(tmp_path)) as bob,
    ):
        for side, other in ((alice, "bob"), (bob, "alice")):
            assert side.finish() == 0, side
            assert side.expect("started")["driver"] == "bumble"
            linked, heard = side.expect("connected"), side.expect("heard", peer=other)
            assert linked["interface"] == heard["interface"]
            assert side.events.index(linked) < side.events.index(heard)
            side.expect("message_delivered", peer=other, method="direct")
            side.expect("message_received", peer=other, verified=True, text=f"Hello from {other}.")
            side.expect("file_delivered", peer=other)
            side.expect("file_received", peer=other, bytes=65536)
            done = side.expect("done", ok=True)
            assert (done["peer"], done["losses"], done["held"]) == (other, 0, 0.3)
            assert 0 < done["heard"] < done["file"]
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert "passphrase = 'a \"secret\", # with hashes'" in (tmp_path / "kept" / "config").read_text()


def test_a_link_that_is_lost_in_the_hold_is_a_failure(tmp_path: Path, on_air: tuple[str, ...]) -> None:
    with (
        example(tmp_path, SCRIPT, "--name", "alice", "--hold", "600", *on_air) as alice,
        example(tmp_path, SCRIPT, "--name", "bob", "--hold", "600", *on_air) as bob,
    ):
        alice.expect("message_received", text="bob has everything.")
        bob.expect("message_received", text="alice has everything.")
        code, took = bob.end_by(signal.SIGTERM)
        assert (code, took < 6) == (143, True), bob
        assert alice.finish() == 1, alice
        alice.expect("disconnected")
        assert "the link was lost after" in alice.expect("done", ok=False)["reason"]


def test_a_configuration_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("mine")
    with example(tmp_path, SCRIPT, "--name", "alice", "--config", str(tmp_path), "--driver", "bumble") as run:
        assert run.finish() == 2
    (line,) = run.errors
    assert "exists and says something else" in line
    assert (tmp_path / "config").read_text() == "mine"
