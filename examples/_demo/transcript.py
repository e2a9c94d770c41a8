"""What the user reads: one line per event, with the time and who it happened to. No colours, so none to turn off."""

from __future__ import annotations

import os
import time
from typing import TextIO

from _demo.events import Event

BAR_WIDTH = 30
MILESTONES = (25, 50, 75, 100)


class Transcript:
    def __init__(self, out: TextIO, *, verbose: bool = False) -> None:
        self._out = out
        self._verbose = verbose
        self._started = time.monotonic()
        self._bar_open = False
        self._milestone = 0

    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def say(self, who: str, text: str) -> None:
        self._line(f"{self.elapsed():6.2f}  {who:<6} {text}")

    def log_line(self, who: str, line: str) -> None:
        if self._verbose:
            self._line(f"        {who:<6} | {line}")

    def log_tail(self, who: str, lines: list[str]) -> None:
        self._line(f"        the end of the log of {who}:")
        for line in lines or ["(empty)"]:
            self._line(f"        {who:<6} | {line}")

    def event(self, event: Event) -> None:
        if event["event"] == "file_progress":
            self.progress(event["node"], event["percent"], event["bytes"])
        elif text := describe(event):
            self.say(event["node"], text)

    def progress(self, who: str, percent: int, total: int) -> None:
        done = f"{percent:3d} %  {total * percent // 100 / 1024:5.1f} of {total / 1024:.0f} KiB"
        if self._out.isatty():
            filled = BAR_WIDTH * percent // 100
            bar = "#" * filled + "." * (BAR_WIDTH - filled)
            self._write(f"\r{self.elapsed():6.2f}  {who:<6} [{bar}] {done}")
            self._bar_open = True
            return
        reached = max((milestone for milestone in MILESTONES if milestone <= percent), default=0)
        if reached > self._milestone:
            self._milestone = reached
            self.say(who, f"has {done}")

    def _line(self, text: str) -> None:
        self._write(f"\n{text}\n" if self._bar_open else f"{text}\n")
        self._bar_open = False

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except BrokenPipeError:
            # Nobody reads any more. The demo goes on for its exit code, and its output goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())


def describe(event: Event) -> str | None:
    """One event in words; None for what a reader of the transcript need not know."""
    kind, peer = event["event"], event.get("peer")
    if kind == "up":
        return f"is up: rns {event['rns']}, lxmf {event['lxmf']}, LXMF address {event['address']}"
    if kind == "announced":
        return None if event["peers"] else "announces itself"
    if kind == "heard":
        return f"hears the announce of {peer}, {event['hops']} hop, by {event['interface']}"
    if kind == "message_sent":
        return f"sends {peer} a message ({event['method']}): {event['text']}"
    if kind == "message_received":
        signature = "good signature" if event["verified"] else "BAD SIGNATURE"
        return f"receives from {peer} ({event['method']}, {signature}): {event['text']}"
    if kind == "message_delivered":
        return f"has the proof that {peer} received the message"
    if kind == "file_sent":
        return f"offers {peer} a file of {event['bytes']} bytes over a link, round trip {event['rtt'] * 1000:.0f} ms"
    if kind == "file_started":
        return f"accepts a transfer of {event['bytes']} bytes from {peer}, name included"
    if kind == "file_received":
        return f"has the file from {peer}: {event['bytes']} bytes, SHA-256 {event['sha256']}"
    if kind == "file_delivered":
        return f"has the proof that {peer} received the file"
    if kind == "down":
        return "is down"
    return ", ".join(f"{key} {value}" for key, value in event.items() if key != "node")
