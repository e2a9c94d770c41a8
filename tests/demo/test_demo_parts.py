"""The parts of the demo that need no node: the radio's start, the waiting, and the transcript."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from _demo.children import Children
from _demo.errors import MissingError
from _demo.events import EventLog
from _demo.network import EmulatedRadio
from _demo.transcript import Transcript

LISTENING = """
import sys
print("something else")
print("radio: listening on 127.0.0.1:40123", flush=True)
sys.stdin.read()
"""
BROKEN = "import sys; sys.exit('no such controller')"
SILENT = "import sys; sys.stdin.read()"


async def start_radio(directory: Path, source: str, timeout: float = 10.0) -> str:
    radio = EmulatedRadio([sys.executable, "-c", source], timeout)
    async with Children(directory, lambda *_: None) as children:
        await radio.start(children)
    return radio.interface_section("alice")


def test_the_radio_says_where_it_listens(tmp_path: Path) -> None:
    section = asyncio.run(start_radio(tmp_path, LISTENING))
    assert "type = BLEInterface" in section
    assert "driver = bumble" in section
    assert "radio = 127.0.0.1:40123" in section


def test_a_radio_that_ends_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="the emulated radio: it ended with exit code 1"):
        asyncio.run(start_radio(tmp_path, BROKEN))
    assert (tmp_path / "radio.log").read_text() == "no such controller\n"


def test_a_radio_that_says_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"the emulated radio: no address after 0\.2 s"):
        asyncio.run(start_radio(tmp_path, SILENT, timeout=0.2))


def test_events_are_found_before_and_after_they_happen() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        events = EventLog(loop.time() + 5, lambda _: None)
        events.add({"node": "alice", "event": "up"})
        assert (await events.expect("its start", node="alice", event="up"))["event"] == "up"
        loop.call_soon(events.add, {"node": "bob", "event": "up"})
        await events.expect("its start", node="bob", event="up")
        loop.call_soon(events.fail, "bob ended")
        with pytest.raises(MissingError, match="its message: bob ended"):
            await events.expect("its message", node="bob", event="message_received")

    asyncio.run(scenario())


def test_nothing_is_awaited_beyond_the_deadline() -> None:
    async def scenario() -> None:
        events = EventLog(asyncio.get_running_loop().time() + 0.05, lambda _: None)
        with pytest.raises(MissingError, match="the answer: it had not come"):
            await events.expect("the answer", event="never")

    asyncio.run(scenario())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show_progress(out: io.StringIO) -> str:
    transcript = Transcript(out)
    for percent in (0, 10, 26, 49, 51, 99, 100):
        transcript.event({"node": "bob", "event": "file_progress", "percent": percent, "bytes": 65536})
    transcript.say("bob", "done")
    return out.getvalue()


def test_progress_is_a_bar_on_a_terminal() -> None:
    lines = show_progress(Terminal()).splitlines()
    assert len([line for line in lines if "[" in line]) == 7
    assert f"[{'#' * 30}] 100 %   64.0 of 64 KiB" in lines[-2]
    assert lines[-1].endswith("bob    done")


def test_progress_is_a_few_lines_elsewhere() -> None:
    lines = show_progress(io.StringIO()).splitlines()
    assert [line.split()[3] for line in lines[:-1]] == ["26", "51", "99", "100"]
    assert "\r" not in "".join(lines)
