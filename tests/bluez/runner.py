"""Running scenarios: several in one boot, once more on a fresh boot after a failure, and one line for each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from .build.roots import GuestRoot
from .rig import Rig
from .scenario import Scenario
from .vm.machine import Accelerator

logger = logging.getLogger(__name__)

#: Seconds that collecting logs, or closing a rig, may take.
COLLECT_TIMEOUT, CLOSE_TIMEOUT = 180.0, 30.0
#: How much longer a scenario may take that repeats things five times as often.
THOROUGH_FACTOR = 5


class Verdict(Enum):
    """How a scenario ended."""

    OK = "ok"
    FLAKY = "FLAKY"
    FAILED = "FAILED"


@dataclass
class Result:
    """What is known of one scenario."""

    scenario: str
    root: str
    verdict: Verdict
    seconds: float
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Runner:
    """Runs scenarios on one guest root.

    Args:
        root: what guests run.
        accelerator: how.
        logs: where the logs of failures go.
        say: prints a line.
        thorough, debug: see `Rig`.
    """

    def __init__(
        self,
        root: GuestRoot,
        accelerator: Accelerator,
        logs: Path,
        say: Callable[[str], None],
        *,
        thorough: bool,
        debug: bool,
    ) -> None:
        self._root = root
        self._accelerator = accelerator
        self._logs = logs
        self._say = say
        self._thorough = thorough
        self._debug = debug
        self._rig: Rig | None = None

    async def run(self, scenarios: Iterable[Scenario]) -> list[Result]:
        """Run them all, those with few guests first."""
        try:
            return [await self._judge(scenario) for scenario in sorted(scenarios, key=lambda each: each.guests)]
        finally:
            await self._discard_rig()

    async def _judge(self, scenario: Scenario) -> Result:
        result = Result(scenario.name, self._root.name, Verdict.OK, 0.0)
        for attempt in (1, 2):
            start = time.monotonic()
            error = await self._attempt(scenario, result, attempt)
            result.seconds = time.monotonic() - start
            if error is None:
                result.verdict = Verdict.OK if attempt == 1 else Verdict.FLAKY
                break
            result.errors.append(error)
            result.verdict = Verdict.FAILED
        self._report(result)
        return result

    async def _attempt(self, scenario: Scenario, result: Result, attempt: int) -> str | None:
        """Run it once; return what went wrong. A rig on which something went wrong is not used again."""
        rig = await self._take_rig()
        error: str | None = None
        try:
            async with asyncio.timeout(scenario.timeout * (THOROUGH_FACTOR if self._thorough else 1)):
                await scenario.body(rig)
        except Exception as problem:  # whatever a scenario raises is its failure, and no other's
            logger.debug("%s", scenario.name, exc_info=True)
            error = _describe(problem)
        if trouble := rig.troubles():
            error = "\n".join([error or "the scenario passed, but:", *trouble[:5]])
        result.notes = list(rig.notes)
        if crashes := rig.crashes():
            result.notes.append(f"bluetoothd died {crashes} times by itself")
        if faults := rig.known_faults():
            result.notes.append(f"the kernel had {faults} times the fault in hci_chan_del that ends bluetoothd")
        if error is not None:
            directory = self._logs / f"{self._root.name}-{scenario.name}-{attempt}"
            await self._collect(rig, directory)
            error += f"\nlogs: {directory}"
        if error is not None or faults:
            await self._discard_rig()
        else:
            await rig.end_scenario()
        return error

    async def _collect(self, rig: Rig, directory: Path) -> None:
        try:
            async with asyncio.timeout(COLLECT_TIMEOUT):
                await rig.collect(directory)
        except TimeoutError:
            logger.warning("collecting logs took more than %g s", COLLECT_TIMEOUT)

    async def _take_rig(self) -> Rig:
        if self._rig is None:
            self._rig = Rig(self._root, self._accelerator, thorough=self._thorough, debug=self._debug)
            await self._rig.open()
        return self._rig

    async def _discard_rig(self) -> None:
        rig, self._rig = self._rig, None
        if rig is not None:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await rig.close()

    def _report(self, result: Result) -> None:
        self._say(f"  {result.verdict.value:6} {result.seconds:6.1f} s  {result.root:8}  {result.scenario}")
        for text in (*result.notes, *result.errors):
            self._say("\n".join(f"                              {line}" for line in text.splitlines()))


def _describe(problem: BaseException) -> str:
    parts: tuple[BaseException, ...] = getattr(problem, "exceptions", ())  # of a group, such as a TaskGroup raises
    if parts:
        return "\n".join(_describe(each) for each in parts)
    return f"{type(problem).__name__}: {problem}"
