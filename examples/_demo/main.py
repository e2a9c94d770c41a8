"""Starts everything, lets the story happen, and ends everything, whatever happens."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from _demo.children import Child, Children
from _demo.config import LOG_DEBUG, LOG_INFO, NodeConfig
from _demo.errors import MissingError
from _demo.events import EventLog
from _demo.network import Network
from _demo.story import Story
from _demo.transcript import Transcript

NODE_SCRIPT = Path(__file__).resolve().parent.parent / "reticulum_node.py"
NAMES = ("alice", "bob")
TIME_LIMIT = 45.0


def main(
    network: Network,
    arguments: Sequence[str] | None = None,
    *,
    node_script: Path = NODE_SCRIPT,
    time_limit: float = TIME_LIMIT,
) -> int:
    """Run the demo over `network`; the result is the exit code of the process."""
    parser = argparse.ArgumentParser(description="Two Reticulum nodes meet over Bluetooth LE, without any hardware.")
    parser.add_argument("--keep", action="store_true", help="keep the configuration directories and logs")
    parser.add_argument("--verbose", action="store_true", help="show the logs of the nodes as they are written")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    transcript = Transcript(sys.stdout, verbose=options.verbose)
    with _directory(options.keep, transcript) as directory:
        demo = _Demo(network, directory, transcript, node_script, LOG_DEBUG if options.verbose else LOG_INFO)
        return asyncio.run(demo.run(time_limit))


@contextlib.contextmanager
def _directory(keep: bool, transcript: Transcript) -> Iterator[Path]:
    prefix = "ble-demo-"
    if not keep:
        with tempfile.TemporaryDirectory(prefix=prefix) as name:
            yield Path(name)
        return
    path = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield path
    finally:
        transcript.say("demo", f"configuration directories and logs are kept in {path}")


class _Demo:
    def __init__(
        self, network: Network, directory: Path, transcript: Transcript, node_script: Path, loglevel: int
    ) -> None:
        self._network = network
        self._directory = directory
        self._transcript = transcript
        self._node_script = node_script
        self._loglevel = loglevel

    async def run(self, time_limit: float) -> int:
        interrupted_by = self._cancel_on_signals()
        children = Children(self._directory, self._transcript.log_line)
        try:
            async with children:
                await self._play(children, time_limit)
        except asyncio.CancelledError:
            if not interrupted_by:
                raise
            self._transcript.say("demo", f"INTERRUPTED by {interrupted_by[0].name}; all processes have ended")
            return 128 + interrupted_by[0]
        except MissingError as error:
            for name, lines in children.log_tails():
                self._transcript.log_tail(name, lines)
            self._transcript.say("demo", f"FAILED, missing: {error}")
            return 1
        self._transcript.say("demo", "OK: everything arrived, byte for byte")
        return 0

    async def _play(self, children: Children, time_limit: float) -> None:
        events = EventLog(asyncio.get_running_loop().time() + time_limit, self._transcript.event)
        self._transcript.say("demo", await self._network.start(children))
        nodes = {name: await self._start_node(name, children, events) for name in NAMES}
        story = Story(*NAMES, events, lambda name, command: nodes[name].write_line(command), self._directory)
        await story.tell()

    async def _start_node(self, name: str, children: Children, events: EventLog) -> Child:
        config = NodeConfig(
            directory=self._directory / name,
            interface_section=self._network.interface_section(name),
            interface_files=self._network.interface_files,
            loglevel=self._loglevel,
        )
        config.write()

        def on_line(line: str) -> None:
            try:
                event = {**json.loads(line), "node": name}
            except (ValueError, TypeError):
                self._transcript.log_line(name, line)  # something else that prints
                return
            events.add(event)
            if event["event"].endswith("_failed") or event["event"] == "refused":
                events.fail(f"{name} reports {event['event']}, {event.get('reason', 'no reason given')}")

        def on_end(returncode: int) -> None:
            events.fail(f"{name} ended with exit code {returncode}")

        command = [sys.executable, str(self._node_script), "--config", str(config.directory), "--name", name]
        return await children.start(name, command, on_line, on_end)

    @staticmethod
    def _cancel_on_signals() -> list[signal.Signals]:
        """Cancel the current task at the first signal; those that follow must not disturb the cleaning up."""
        task = asyncio.current_task()
        assert task is not None
        received: list[signal.Signals] = []

        def cancel(signum: signal.Signals) -> None:
            if not received:
                task.cancel()
            received.append(signum)

        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(signum, cancel, signum)
        return received
