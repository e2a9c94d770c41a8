"""Each example with its counterpart, as two processes on one air."""

from __future__ import annotations

import signal
from pathlib import Path

from ble_interface import IDENTITY_CHAR_UUID, RX_CHAR_UUID, SERVICE_UUID, TX_CHAR_UUID
from drivers.bumble_driver import BumbleDriver

from .running import example

OnAir = tuple[str, ...]
#: Seconds within which an example must be gone after a signal, and a second for a busy machine.
END_TIME = 5.0 + 1.0


def test_scan_shows_who_is_there_until_it_is_interrupted(tmp_path: Path, on_air: OnAir) -> None:
    with (
        example(tmp_path, "connect.py", "--listen", "--name", "bob", *on_air),
        example(tmp_path, "scan.py", *on_air) as scan,
    ):
        found = scan.expect("discovered", name="bob", change="found")
        assert (found["rssi"], found["address_type"]) == (-50, "random")
        code, took = scan.end_by(signal.SIGINT)
        assert (code, took < END_TIME) == (0, True), scan
        done = scan.expect("done", ok=True)
        assert [node["address"] for node in done["nodes"]] == [found["address"]]
        assert done["nodes"][0]["first_heard"] >= done["nodes"][0]["last_heard"] >= 0
        assert len([event for event in scan.events if event["event"] == "discovered"]) == 1


def test_connect_links_holds_and_parts(tmp_path: Path, on_air: OnAir) -> None:
    with (
        example(tmp_path, "connect.py", "--listen", *on_air) as peer,
        example(tmp_path, "connect.py", "--seconds", "0.3", *on_air) as dialler,
    ):
        assert dialler.finish() == 0, dialler
        kinds = [event["event"] for event in dialler.events]
        assert kinds == ["started", "discovered", "connecting", "connected", "disconnected", "done"]
        link, end = dialler.expect("connected"), dialler.expect("disconnected")
        assert (link["role"], link["mtu"]) == ("central", 517)
        assert link["identity"] == peer.expect("started")["identity"]
        assert (end["expected"], end["seconds"] >= 0.3) == (True, True)
        assert peer.expect("connected")["role"] == "peripheral"
        assert peer.expect("received")["identity"] == dialler.expect("started")["identity"]
        peer.expect("disconnected", expected=False)
        code, took = peer.end_by(signal.SIGTERM)
        assert (code, took < END_TIME) == (0, True), peer
        assert peer.expect("done", ok=True)["links"] == 1


def test_connect_says_that_the_link_was_lost(tmp_path: Path, on_air: OnAir) -> None:
    with (
        example(tmp_path, "connect.py", "--listen", *on_air) as peer,
        example(tmp_path, "connect.py", *on_air) as dialler,
    ):
        dialler.expect("connected")
        peer.end_by(signal.SIGTERM)
        assert dialler.finish() == 1, dialler
        dialler.expect("disconnected", expected=False)
        assert "the link was lost after" in dialler.expect("done", ok=False)["reason"]


def test_connect_says_why_there_is_no_link(tmp_path: Path, on_air: OnAir) -> None:
    mute = BumbleDriver(radio=on_air[3])  # it has no identity, so nobody can read it
    mute.start(SERVICE_UUID, RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID)
    mute.start_advertising()
    try:
        with example(tmp_path, "connect.py", *on_air) as dialler:
            assert dialler.finish() == 1, dialler
    finally:
        mute.stop()
    assert dialler.expect("failed")["kind"] == "NotOurServiceError"
    assert "refuses to tell its identity" in dialler.expect("done", ok=False)["reason"]


def test_connect_says_that_nobody_is_there(tmp_path: Path, on_air: OnAir) -> None:
    with example(tmp_path, "connect.py", "c0:00:00:00:00:01", "--timeout", "0.2", *on_air) as dialler:
        assert dialler.finish() == 1
    assert dialler.expect("done", ok=False)["reason"] == "C0:00:00:00:00:01 was not heard"


def test_data_goes_both_ways_and_is_verified(tmp_path: Path, on_air: OnAir) -> None:
    with (
        example(tmp_path, "data_io.py", "--name", "alice", *on_air) as alice,
        example(tmp_path, "data_io.py", "--name", "bob", "--kib", "30", *on_air) as bob,
    ):
        for side, other, out, into in ((alice, "bob", 100, 30), (bob, "alice", 30, 100)):
            assert side.finish() == 0, side
            side.expect("received", peer=other, message="hello world")
            side.expect("sent", peer=other, bytes=out * 1024)
            side.expect("verified", peer=other, direction="out", ok=True, bytes=out * 1024)
            assert side.expect("verified", peer=other, direction="in", ok=True, bytes=into * 1024)["kib_per_s"] > 0
            side.expect("done", ok=True, reason="both directions were confirmed")


def test_data_io_alone_ends_with_the_reason(tmp_path: Path, on_air: OnAir) -> None:
    with example(tmp_path, "data_io.py", "--timeout", "0.2", *on_air) as alone:
        assert alone.finish() == 1
    assert alone.expect("done", ok=False)["reason"] == "no peer had been linked when the 0.2 s were over"


def test_interrupted_examples_end_in_order(tmp_path: Path, on_air: OnAir) -> None:
    with (
        example(tmp_path, "connect.py", "C0:00:00:00:00:01", *on_air) as connect,
        example(tmp_path, "race.py", "C0:00:00:00:00:01", *on_air) as race,
        example(tmp_path, "data_io.py", *on_air) as data_io,
    ):
        for run in (connect, race, data_io):
            run.expect("started")
            code, took = run.end_by(signal.SIGTERM)
            assert (code, took < END_TIME) == (143, True), run
            run.expect("done", ok=False, reason="interrupted by SIGTERM")
            assert run.errors == []


def test_a_race_is_won_by_one_attempt_at_a_time(tmp_path: Path, on_air: OnAir) -> None:
    with (
        example(tmp_path, "connect.py", "--listen", *on_air),
        example(tmp_path, "race.py", "--rounds", "1", "--attempts", "2", *on_air) as race,
    ):
        assert race.finish() == 0, race
    verified = {event["what"]: event["ok"] for event in race.events if event["event"] == "verified"}
    assert len(verified) == 4
    assert all(verified.values())
    storm = race.expect("connected", round=1)
    assert (storm["links"], storm["most_attempts"], storm["calls"] > 100) == (1, 1, True)
    done = race.expect("done", ok=True)
    assert len(done["gaps"]) == 1
    assert done["gaps"][0] >= 5.0
    assert done["discoveries"] > 100


def test_what_the_radio_suffers_is_said_in_words(tmp_path: Path) -> None:
    with example(tmp_path, "scan.py", "--driver", "bumble", "--radio", "127.0.0.1:9", "--json") as scan:
        assert "no radio answers at 127.0.0.1:9" in scan.expect("error", kind="RadioError")["message"]
        assert scan.end_by(signal.SIGINT)[0] == 1
    assert scan.expect("done", ok=False)["reason"].startswith("the radio did not scan: no radio answers")
    assert scan.errors == []


def test_people_read_words(tmp_path: Path, on_air: OnAir) -> None:
    with (
        example(tmp_path, "connect.py", "--listen", "--name", "bob", *on_air) as peer,
        example(tmp_path, "connect.py", "--seconds", "0", *on_air[:-1]) as dialler,
    ):
        assert dialler.finish() == 0, dialler
        peer.expect("connected")
        address = dialler.output.split("connecting to ")[1].split()[0]
        assert f"{address} is heard (bob, -50 dBm)" in dialler.output
        assert "we are central, ATT MTU 517, identity" in dialler.output
        assert dialler.output.splitlines()[-1].split("  ")[-1].startswith("OK: linked in")
