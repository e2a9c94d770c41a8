"""Two programs share one adapter through the coordination service, and maintenance pauses and resumes them.

    python examples/two_programs_one_adapter.py [--json]

It needs no hardware: it starts an emulated radio, the coordination service and two programs, alice and bob, each a
process with a `BumbleDriver` that calls its adapter hci0 and knows nothing of the other:

    create_driver("bumble", coordination="http://127.0.0.1:60620", coordination_device="hci0")

    0.80  the coordination service is at http://127.0.0.1:34015/ (open it in a browser)
    1.36  alice: scans and advertises
    1.86  bob: waits, as hci0 is held by BumbleDriver 25907 on pi4 (QUEUE_QUEUED)
    1.92  alice: pauses, as ann took it: overridden by MAINTENANCE
    1.93  ann takes hci0 for maintenance
    1.93  alice: waits, as hci0 is held by ann (MAINTENANCE)
    2.44  ann is done and gives hci0 back
    2.49  bob: scans and advertises
    2.49  bob ends
    2.55  alice: scans and advertises
    3.59  OK: hci0 was used by one program at a time, and by none during maintenance

Bob comes before alice after the maintenance because he has waited for longer.

Exit code: 0 if it went like this; 1 if not, with the reason; 2 if the command line makes no sense.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from _common.command_line import Parser

from ble_cli.programs.command import UsageError
from ble_cli.programs.outcome import Outcome, failure, success
from ble_cli.programs.reporter import Reporter
from ble_coordination import DeviceCoordinationClient, DeviceCoordinationContext, LockType
from ble_driver import DriverState, create_driver
from ble_interface import IDENTITY_CHAR_UUID, RX_CHAR_UUID, SERVICE_UUID, TX_CHAR_UUID

ADAPTER = "hci0"
#: Seconds for anything that has to happen, and for which maintenance lasts.
PATIENCE, MAINTENANCE = 30.0, 0.5
WORKS = DriverState.SCANNING | DriverState.ADVERTISING
#: Seconds between two looks at what the driver does.
LOOK = 0.02


class MissedError(Exception):
    """Something that had to happen did not."""


# --- one of the two programs ------------------------------------------------------------------------------------------


async def program(radio: str, service: str) -> None:
    """Scan and advertise, and say on stdout what changes, until stdin ends."""
    driver = create_driver("bumble", radio=radio, coordination=service, coordination_device=ADAPTER)
    driver.on_error = lambda error: _tell("error", str(error))
    driver.set_identity(os.urandom(16))
    driver.start(SERVICE_UUID, RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID)
    driver.start_scanning()
    driver.start_advertising()
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    state = DriverState.IDLE
    while not ended.done():
        if driver.state != state:
            state = driver.state
            _tell("state", "works" if state == WORKS else "idle" if state == DriverState.IDLE else "between")
        await asyncio.sleep(LOOK)
    driver.stop()


def _tell(what: str, text: str) -> None:
    print(json.dumps([what, text]), flush=True)


# --- what watches them ------------------------------------------------------------------------------------------------


class Watched:
    """A program that runs, and what it said last."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, reporter: Reporter) -> None:
        self.name = name
        self.state = "idle"
        self.trouble = ""
        self._process = process
        self._reporter = reporter
        self._changed = asyncio.Condition()

    async def listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            what, text = json.loads(line)
            async with self._changed:
                if what == "state":
                    self.state = text
                    if text == "works":
                        self._say("scans and advertises")
                else:
                    self.trouble = text
                    taken = " is lost: " in text
                    why = text.split(" is lost: ")[-1].partition(";")[0].partition(": ask again")[0]
                    self._say(f"{'pauses' if taken else 'waits'}, as {why}")
                self._changed.notify_all()

    def _say(self, text: str) -> None:
        self._reporter.report("program", f"{self.name}: {text}", name=self.name, state=self.state, text=text)

    async def until(self, state: str, trouble: str = "") -> None:
        """Wait until it is in this state, and has said this."""

        def so() -> bool:
            return self.state == state and trouble in self.trouble

        try:
            async with self._changed:
                await asyncio.wait_for(self._changed.wait_for(so), PATIENCE)
        except asyncio.TimeoutError:
            raise MissedError(f"{self.name} is {self.state} ({self.trouble or 'no trouble'}), not {state}") from None

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process that is gone at the end."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=pipe, stdout=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _first_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    if not line:
        raise MissedError("a process ended before it was ready: see above")
    return line.decode().strip()


async def play(reporter: Reporter) -> Outcome:
    async with AsyncExitStack() as stack:
        store = stack.enter_context(tempfile.TemporaryDirectory())
        daemon = await stack.enter_async_context(running("-m", "drivers.bumble_driver.radio", "--port", "0"))
        server = await stack.enter_async_context(
            running("-m", "ble_coordination", "--port", "0", "--store", f"sqlite:{Path(store) / 'locks.db'}")
        )
        radio = (await _first_line(daemon)).split()[-1]
        service = (await _first_line(server)).split()[1]
        reporter.report("started", f"the coordination service is at {service} (open it in a browser)", service=service)

        async def start(name: str) -> Watched:
            process = await stack.enter_async_context(running(__file__, "--program", radio, service))
            watched = Watched(name, process, reporter)
            listening = asyncio.create_task(watched.listen())
            stack.callback(listening.cancel)
            return watched

        alice = await start("alice")
        await alice.until("works")
        bob = await start("bob")
        await bob.until("idle", "is held by")
        client = await stack.enter_async_context(DeviceCoordinationClient(service))
        async with DeviceCoordinationContext(client, ADAPTER, LockType.MAINTENANCE, "ann", reason="new antenna"):
            reporter.report("maintenance", f"ann takes {ADAPTER} for maintenance", on=True)
            await alice.until("idle", "ann")
            await asyncio.sleep(MAINTENANCE)
            if alice.state != "idle" or bob.state != "idle":
                return failure("the adapter was used during maintenance")
            reporter.report("maintenance", f"ann is done and gives {ADAPTER} back", on=False)
        await bob.until("works")
        if alice.state != "idle":
            return failure("both programs used the adapter at once")
        reporter.report("ends", "bob ends", name="bob")
        await bob.end()
        await alice.until("works")
        return success(f"{ADAPTER} was used by one program at a time, and by none during maintenance")


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object per line instead of words")
    parser.add_argument("--program", nargs=2, metavar=("RADIO", "SERVICE"), help="be one of the two programs")
    try:
        options = parser.parse_args()
    except UsageError as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        return 2
    if options.program:
        logging.getLogger("ble_driver").setLevel(logging.ERROR)  # what it warns of is told by on_error
        asyncio.run(program(*options.program))
        return 0
    reporter = Reporter(sys.stdout, as_json=options.json)
    try:
        outcome = asyncio.run(play(reporter))
    except MissedError as error:
        outcome = failure(str(error))
    except KeyboardInterrupt:
        return 130
    reporter.report(
        "done", f"{'OK' if outcome.ok else 'FAILED'}: {outcome.reason}", ok=outcome.ok, reason=outcome.reason
    )
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
