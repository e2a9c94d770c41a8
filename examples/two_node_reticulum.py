"""Two Reticulum nodes on two hosts exchange messages with proofs, and files, over Bluetooth LE and nothing else.

    python examples/two_node_reticulum.py --name alice [--passphrase SECRET] [--hold 60] [--json]
    python examples/two_node_reticulum.py --name bob   [--passphrase SECRET] [--hold 60]            # on the other host

On two Raspberry Pis: start it on both, in any order, with the same passphrase or none. Besides the driver it needs
`pip install 'ble-interface[reticulum]' lxmf`. Each writes a Reticulum configuration with our interface into a temporary
directory (or into `--config DIR`, where it stays), starts the node of `reticulum_node.py` with it, waits until it hears
the other, and sends it an LXMF message and a file of 64 KiB:

    1.62  is up: rns 1.5.7, lxmf 1.2.1, LXMF address 7ee8…
    3.81  linked: BLEPeerInterface[Bluetooth LE/a9f6…]
    5.02  hears the announce of bob, 1 hop, by BLEPeerInterface[Bluetooth LE/a9f6…]
    5.61  has the proof that bob received the message
    5.70  receives from bob (direct, good signature): Hello from bob.
   15.93  has the proof that bob received the file
   16.40  has the file from bob: 65536 bytes, SHA-256 41bd…
   17.90  OK: both directions succeeded

With `--hold` both stay linked for that long after, and a link that is lost meanwhile is a failure. Another adapter:
`--adapter hci1`. Without any hardware: `python -m drivers.bumble_driver.radio`, and `--driver bumble` on both.

Exit code: 0 if both directions succeeded, and the link held; 1 if not, with the reason; 2 if the command line makes no
sense; 130 or 143 if it was interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import json
import random
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _common.command_line import Parser, parse, refuse, seconds
from _common.node_config import write_config
from _demo.children import Child, Children
from _demo.errors import MissingError
from _demo.events import Event, EventLog
from _demo.transcript import MILESTONES, describe

from ble_cli.programs.command import Command, UsageError
from ble_cli.programs.inbox import Interrupted
from ble_cli.programs.outcome import Outcome, failure, interruption, success
from ble_cli.programs.program import CLOSE_TIME, end_within, finish, set_up_log
from ble_cli.programs.reporter import Reporter
from ble_driver import BLEDriverError

NODE_SCRIPT = Path(__file__).resolve().parent / "_common" / "watched_node.py"
FILE_SIZE = 64 * 1024
NAME = re.compile(r"[A-Za-z0-9_-]+")
#: Seconds to wait for the other side to be ready as well: before the hold, and before we leave.
MEETING_TIME = 20.0
#: What each says, as a single packet, when it has all that it wants, and when it is about to leave.
READY, FAREWELL = "{name} has everything.", "{name} leaves."


def message_of(name: str) -> str:
    """Return what the node of that name says, so that the other knows what to expect."""
    return f"Hello from {name}."


def file_of(name: str) -> bytes:
    """Return what the node of that name sends: different for each, the same at both ends, and incompressible."""
    return random.Random(name).randbytes(FILE_SIZE)


class TwoNodes:
    """One of the two hosts."""

    def __init__(self, command: Command, directory: Path, reporter: Reporter) -> None:
        self._options = command.options
        self._name: str = self._options.name
        self._directory = directory
        self._reporter = reporter
        self._node: Child | None = None
        self._peer_interface: str | None = None
        self._losses = 0
        self._lost = asyncio.Event()  # the link to the peer, or the node
        self._node_end: str | None = None
        self._heard_words: set[str] = set()
        self._percent = 0
        self._clock = asyncio.get_running_loop().time
        self._began = now = self._clock()
        # Two views of the same events: the one has the time for the exchange, the other also that for what follows.
        self._exchange = EventLog(now + self._options.timeout, self._tell)
        self._ending = EventLog(now + self._options.timeout + self._options.hold + 10 * MEETING_TIME, lambda _: None)

    async def run(self) -> Outcome:
        async with Children(self._directory, self._on_log) as children:
            command = [sys.executable, str(NODE_SCRIPT), "--config", str(self._directory), "--name", self._name]
            self._node = await children.start("node", command, self._on_line, self._on_end)
            try:
                return await self._play()
            except MissingError as error:
                if not self._options.json:
                    for line in self._node.log_tail:
                        self._reporter.say(f"log | {line}")
                return failure(str(error), losses=self._losses)

    # --- the node -----------------------------------------------------------------------------------------------------

    def _on_line(self, line: str) -> None:
        try:
            event: Event = json.loads(line)
            kind = event["event"]
        except (ValueError, TypeError, KeyError):
            return  # something else that prints
        if kind == "announced":
            event["answer"] = event["peers"] > 0  # somebody has been heard before
        if kind == "message_received":
            self._heard_words.add(event["text"])
        event["at"] = self._clock() - self._began
        for log in (self._exchange, self._ending):
            log.add(event)
            if kind.endswith("_failed") or kind == "refused":
                log.fail(f"the node reports {kind}, {event.get('reason', 'no reason given')}")
        if kind == "disconnected" and event["interface"] == self._peer_interface:
            self._losses += 1
            self._lost.set()

    def _on_log(self, _name: str, line: str) -> None:
        if self._options.verbose:
            print(line, file=sys.stderr, flush=True)

    def _on_end(self, returncode: int) -> None:
        self._node_end = f"the node ended with exit code {returncode}"
        self._lost.set()
        for log in (self._exchange, self._ending):
            log.fail(self._node_end)

    def _tell(self, event: Event) -> None:
        details = {key: value for key, value in event.items() if key not in ("event", "at", "answer")}
        self._reporter.report(event["event"], self._words(event), **details)

    def _words(self, event: Event) -> str | None:
        kind = event["event"]
        if kind == "error":
            return f"the radio has a problem: {event['message']}"
        if kind == "connected":
            return f"linked: {event['interface']}"
        if kind == "disconnected":
            return f"the link is gone: {event['interface']}"
        if kind == "file_progress":
            before, self._percent = self._percent, event["percent"]
            return f"has {event['percent']} % of it" if any(before < m <= self._percent for m in MILESTONES) else None
        return describe(event)

    def _command(self, line: str) -> None:
        assert self._node is not None
        self._node.write_line(line)

    # --- the play -----------------------------------------------------------------------------------------------------

    async def _play(self) -> Outcome:
        await self._exchange.expect("the start of the node", event="up")
        heard = await self._exchange.expect("the announce of another node", event="heard")
        peer, self._peer_interface = heard["peer"], heard["interface"]
        # The node answers whom it hears with an announce: without it the other could not check our signature.
        await self._exchange.expect("our announce to it", event="announced", answer=True)
        times = {"heard": heard["at"], **await self._exchange_with(peer)}
        told = ", ".join(f"{what.replace('_', ' ')} {at:.2f} s" for what, at in times.items())
        self._reporter.say(f"since the start: {told}")
        held = await self._hold(peer)
        details = {"peer": peer, "losses": self._losses, "held": round(held, 3)}
        details |= {what: round(at, 3) for what, at in times.items()}
        if self._node_end is not None:
            return failure(self._node_end, **details)
        if held >= self._options.hold:
            lasting = f", and the link held for {held:.0f} s" if self._options.hold else ""
            return success(f"both directions succeeded{lasting}", **details)
        if FAREWELL.format(name=peer) in self._heard_words:
            return success(f"both directions succeeded, and {peer} left in order after {held:.0f} s", **details)
        return failure(f"the link was lost after {held:.1f} of {self._options.hold:g} s", **details)

    async def _exchange_with(self, peer: str) -> dict[str, float]:
        """Send a message and a file, and take the same from the peer; return when what was done."""
        path = (self._directory / f"{self._name}.bin").resolve()
        path.write_bytes(file_of(self._name))
        message = {"event": "message_received", "text": message_of(peer), "verified": True}
        file = {"event": "file_received", "sha256": hashlib.sha256(file_of(peer)).hexdigest()}
        expect = self._exchange.expect
        self._command(f"direct {peer} {message_of(self._name)}")
        events = {"message_proof": await expect(f"the proof that {peer} has our message", event="message_delivered")}
        self._command(f"file {peer} {path}")
        events["message"] = await expect(f"the message from {peer}", **message)
        events["file_proof"] = await expect(f"the proof that {peer} has our file", event="file_delivered", peer=peer)
        events["file"] = await expect(f"the file from {peer}, byte for byte", **file)
        return {what: event["at"] for what, event in events.items()}

    async def _hold(self, peer: str) -> float:
        """Stay linked for as long as wished, and until the peer needs us no more; return how long the link held."""
        self._lost.clear()  # what was lost before has come back, or we would not be here
        held = 0.0
        if self._options.hold:
            await self._meet(peer, READY)
            began = self._clock()
            if not await self._link_is_lost_within(self._options.hold):
                held = self._options.hold
            else:
                held = self._clock() - began
        if not self._lost.is_set():
            await self._meet(peer, FAREWELL)
        return held

    async def _link_is_lost_within(self, span: float) -> bool:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._lost.wait(), span)
        return self._lost.is_set()

    async def _meet(self, peer: str, words: str) -> None:
        """Say something, and wait until the peer has said it as well; not for ever, nor without a link."""
        self._command(f"opportunistic {peer} {words.format(name=self._name)}")
        answer = {"event": "message_received", "text": words.format(name=peer)}
        said = asyncio.ensure_future(self._ending.expect(f"a word of {peer}", **answer))
        lost = asyncio.ensure_future(self._lost.wait())
        await asyncio.wait([said, lost], timeout=MEETING_TIME, return_when=asyncio.FIRST_COMPLETED)
        for task in (said, lost):
            task.cancel()
        await asyncio.gather(said, lost, return_exceptions=True)


async def play(command: Command, directory: Path, reporter: Reporter) -> Outcome:
    """Run one side; a signal ends it in order."""
    task = asyncio.current_task()
    assert task is not None
    received: list[signal.Signals] = []

    def end(signum: signal.Signals) -> None:
        if not received:
            received.append(signum)
            end_within(CLOSE_TIME, reporter)
            task.cancel()  # once: a second signal must not disturb the cleaning up

    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, end, signum)
    name, driver = command.options.name, command.driver
    text = f"{name} starts a node (driver {driver})"
    reporter.report("started", text, name=name, driver=driver, driver_options=command.driver_options)
    try:
        return await TwoNodes(command, directory, reporter).run()
    except asyncio.CancelledError:
        if not received:
            raise
        return interruption(Interrupted(received[0]))


@contextlib.contextmanager
def directory_of(path: Path | None) -> Iterator[Path]:
    if path is not None:
        yield path.resolve()  # the node runs in it
        return
    with tempfile.TemporaryDirectory(prefix="two-node-reticulum-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def check(command: Command) -> None:
    """Refuse what makes no sense, here rather than in the log of a node.

    Raises:
        UsageError, BLEDriverError: see above.
    """
    command.create_driver()  # only to see whether it can be had with these options
    if NAME.fullmatch(command.options.name) is None:
        raise UsageError(f"a name is letters, digits, - and _ without spaces, not {command.options.name!r}")
    for module, package in (("RNS", "'ble-interface[reticulum]'"), ("LXMF", "lxmf")):
        if importlib.util.find_spec(module) is None:
            raise UsageError(f"{module} is not installed: pip install {package}")


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("--name", required=True, help="what this side is called; the other needs another name")
    parser.add_argument("--passphrase", help="only nodes with the same one hear each other")
    parser.add_argument("--config", type=Path, help="where the configuration goes and stays (default: temporary)")
    parser.add_argument("--timeout", type=seconds, default=180.0, help="seconds for the exchange (default: 180)")
    parser.add_argument("--hold", type=seconds, default=0.0, help="seconds to stay linked afterwards (default: 0)")
    with contextlib.ExitStack() as stack:
        try:
            command = parse(parser)
            check(command)
            directory = stack.enter_context(directory_of(command.options.config))
            write_config(directory, command, command.options.passphrase)
        except (UsageError, BLEDriverError) as error:
            return refuse(parser, error)
        set_up_log(verbose=command.options.verbose)
        reporter = Reporter(sys.stdout, as_json=command.options.json)
        outcome = asyncio.run(play(command, directory, reporter))
    return finish(reporter, outcome)


if __name__ == "__main__":
    sys.exit(main())
