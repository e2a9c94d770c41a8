"""The commands with a radio, each with its counterpart in another process on one emulated air."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from ble_driver import create_driver
from ble_interface import BLEInterface, BLEPeerInterface

from .running import command

if sys.version_info < (3, 11):
    pytest.skip("bumble needs Python 3.11", allow_module_level=True)

OnAir = tuple[str, ...]


def type_line(run: object, line: str) -> None:
    process = run.process  # type: ignore[attr-defined]
    process.stdin.write(line + "\n")
    process.stdin.flush()


def test_two_people_chat(tmp_path: Path, on_air: OnAir) -> None:
    with (
        command(tmp_path, "chat", "--name", "alice", *on_air, stdin=subprocess.PIPE) as alice,
        command(tmp_path, "chat", "--name", "bob\x1b[2J", *on_air, stdin=subprocess.PIPE) as bob,
    ):
        type_line(alice, "sent before anybody was there")
        assert bob.expect("connected")["name"] == "alice"
        assert alice.expect("connected")["name"] == "bob?[2J"
        bob.expect("received", name="alice", text="sent before anybody was there")
        alice.expect("verified", number=1)
        type_line(bob, "grüße \x07!")
        alice.expect("received", text="grüße ?!")
        assert bob.process.stdin is not None
        bob.process.stdin.close()
        assert bob.finish() == 0, bob
        assert alice.end_by(signal.SIGINT)[0] == 0, alice
    assert alice.expect("done", ok=True)["received"] == 1


def test_a_chat_with_nobody_says_so(tmp_path: Path, on_air: OnAir) -> None:
    with command(tmp_path, "chat", *on_air, stdin=subprocess.PIPE) as alone:
        type_line(alone, "hello?")
        alone.expect("queued", text="hello?")
        assert alone.end_by(signal.SIGTERM)[0] == 1, alone
    assert alone.expect("done", ok=False)["reason"] == "1 texts have reached nobody"


def test_a_file_goes_over_and_its_hash_is_that_of_the_sender(tmp_path: Path, on_air: OnAir) -> None:
    data = os.urandom(30_001)
    (tmp_path / "a file.bin").write_bytes(data)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/a file.bin").write_text("mine")
    with (
        command(tmp_path, "receive", "--to", "here", *on_air) as bob,
        command(tmp_path, "send", "a file.bin", *on_air) as alice,
    ):
        assert bob.finish() == 0, bob
        assert alice.finish() == 0, alice
    assert (tmp_path / "here/a file.bin").read_text() == "mine"
    assert (tmp_path / "here/a file-2.bin").read_bytes() == data
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["a file-2.bin", "a file.bin"]
    for side in (alice, bob):
        done = side.expect("done", ok=True)
        assert (done["sha256"], done["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
        assert done["bytes_per_s"] > 0
        side.expect("progress", of=len(data))


def test_a_file_that_was_broken_off_goes_on_where_it_was(tmp_path: Path, on_air: OnAir) -> None:
    data = os.urandom(1 << 20)
    (tmp_path / "file").write_bytes(data)
    with command(tmp_path, "receive", *on_air) as bob:
        (tmp_path / "sent").mkdir()
        with command(tmp_path, "send", "file", *on_air) as first:
            broken_off = bob.expect("progress")["bytes"]
            first.process.kill()
        with command(tmp_path, "send", "file", *on_air) as second:
            assert second.finish() == 0, second
            assert bob.finish() == 0, bob
        assert len([event for event in bob.events if event["event"] == "offered"]) == 1
    assert broken_off > 0
    assert (tmp_path / "file-2").read_bytes() == data


def test_bench_gives_figures_for_latency_goodput_and_loss(tmp_path: Path, on_air: OnAir) -> None:
    with (
        command(tmp_path, "bench", "--name", "bob", *on_air) as bob,
        command(tmp_path, "bench", "bob", "--kib", "20", *on_air) as alice,
    ):
        assert alice.finish() == 0, alice
        assert bob.end_by(signal.SIGINT)[0] == 0, bob
    latency = alice.expect("verified", what="latency")
    assert 0 < latency["median_s"] <= latency["worst_s"] < 5
    done = alice.expect("done", ok=True)
    for way in ("out", "into"):
        assert (done[way]["bytes"], done[way]["packets"], done[way]["lost"]) == (20 * 1024, 43, 0)
        assert done[way]["bytes_per_s"] > 0


def test_bench_says_who_is_there_instead(tmp_path: Path, on_air: OnAir) -> None:
    with (
        command(tmp_path, "bench", "--name", "bob", *on_air) as bob,
        command(tmp_path, "bench", "carol", "--timeout", "4", *on_air) as alice,
    ):
        bob.expect("connected")
        assert alice.finish() == 1, alice
    assert "carol was not met; there is: bob" in alice.expect("done", ok=False)["reason"]


def test_scan_shows_who_is_there(tmp_path: Path, on_air: OnAir) -> None:
    from tests.examples.running import example

    with (
        example(tmp_path, "connect.py", "--listen", "--name", "bob", *on_air),
        command(tmp_path, "scan", *on_air) as scan,
    ):
        found = scan.expect("discovered", name="bob", change="found")
        assert scan.end_by(signal.SIGINT)[0] == 0, scan
    assert [node["address"] for node in scan.expect("done", ok=True)["nodes"]] == [found["address"]]


def test_scan_names_whom_a_node_of_this_host_has_met(tmp_path: Path, on_air: OnAir) -> None:
    radio = on_air[on_air.index("--radio") + 1]
    with ExitStack() as stack:
        nodes: list[BLEInterface] = []
        for identity in (b"a" * 16, b"b" * 16):
            driver = create_driver("bumble", radio=radio)
            node = BLEInterface(Deaf(), "node", driver, status_socket=not nodes)
            node.start(identity)
            stack.callback(node.stop)
            nodes.append(node)
        deadline = time.monotonic() + 30.0
        while not nodes[0].peers and time.monotonic() < deadline:
            time.sleep(0.02)
        (peer,) = nodes[0].peers
        scan = stack.enter_context(command(tmp_path, "scan", *on_air))
        assert scan.expect("discovered", address=peer.address)["identity"] == (b"b" * 16).hex()
        assert scan.end_by(signal.SIGINT)[0] == 0, scan
    known = {node["address"]: node["identity"] for node in scan.expect("done", ok=True)["nodes"]}
    assert known[peer.address] == (b"b" * 16).hex()


class Deaf:
    """An owner that hears nothing."""

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None: ...


def test_status_sees_a_chat_that_runs(tmp_path: Path, on_air: OnAir) -> None:
    with command(tmp_path, "chat", "--name", "alice", *on_air, stdin=subprocess.PIPE) as alice:
        identity = alice.expect("started")["identity"]
        with command(tmp_path, "status") as status:
            assert status.finish() == 0, status
        assert f"is {identity[:8]} at" in status.output
        alice.end_by(signal.SIGINT)
