"""``python -m tests.bluez``: the lane of real BlueZ."""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import logging
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .build.cache import Cache
from .build.commands import BuildError
from .build.roots import ROOTS, GuestRoot, build_all
from .runner import Result, Runner, Verdict
from .scenario import SCENARIOS, Scenario
from .vm import accelerator

#: Seconds for everything but building: the lane has to stay below it, and what is thorough.
LIMIT, THOROUGH_LIMIT = 1500.0, 4 * 3600.0
#: Seconds after the limit at which the process is killed if it has not ended; its children die with it.
HARD_LIMIT_MARGIN = 60


def say(text: str) -> None:
    """Print a line now."""
    print(text, flush=True)  # noqa: T201 - a command line speaks to its user


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bluez", description="Scenarios on real BlueZ, in guests.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="names or patterns (default: all)")
    parser.add_argument(
        "--root", action="append", choices=list(ROOTS), help="Debian suite of the guests (default: all)"
    )
    parser.add_argument("--logs", type=Path, help="where logs of failures go (default: in the cache)")
    parser.add_argument(
        "--thorough", action="store_true", help="everything on every root, and repeated as often as figures need"
    )
    parser.add_argument("--limit", type=float, help=f"seconds for all scenarios (default: {LIMIT:g}, or enough)")
    parser.add_argument("--debug", action="store_true", help="let bluetoothd log all it does; it is slower then")
    parser.add_argument("--tcg", action="store_true", help="do not try KVM")
    parser.add_argument("--list", action="store_true", help="list scenarios and end")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more; twice: everything")
    return parser.parse_args()


def _chosen(patterns: list[str]) -> list[Scenario]:
    chosen = [each for each in SCENARIOS.values() if not patterns or any(_fits(each, text) for text in patterns)]
    if not chosen:
        raise BuildError(f"no scenario fits {' '.join(patterns)}; there are: {', '.join(SCENARIOS)}")
    return chosen


def _fits(scenario: Scenario, pattern: str) -> bool:
    return fnmatch.fnmatchcase(scenario.name, pattern)


async def _run(options: argparse.Namespace, roots: list[GuestRoot], logs: Path) -> list[Result]:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    how = accelerator.TCG if options.tcg else await accelerator.choose(roots[0].kernel)
    say(f"{how.name} on {os.cpu_count()} cores of {platform.machine()}: {how.reason}")
    for root in roots:
        say(f"{root.name} is Linux {root.kernel.version}")
    chosen = _chosen(options.scenarios)
    everything = bool(options.thorough or options.scenarios)

    async def run(root: GuestRoot, wanted: Callable[[Scenario], bool]) -> list[Result]:
        mine = [s for s in chosen if wanted(s) and s.runs_on(root.name, everything)]
        runner = Runner(root, how, logs, say, thorough=options.thorough, debug=options.debug)
        return await runner.run(mine)

    async with asyncio.timeout(options.limit):
        # Most of the time is spent waiting for radios, so that several rigs do not disturb each other much.
        groups = (lambda s: not s.alone and s.guests == 1, lambda s: not s.alone and s.guests > 1)
        together = await asyncio.gather(*(run(root, group) for root in roots for group in groups))
        alone = [await run(root, lambda s: s.alone) for root in roots]
    return [result for results in (*together, *alone) for result in results]


def main() -> int:
    """Build, run, and say how it went; return the exit code."""
    options = _parse()
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(options.verbose, 2)]
    logging.basicConfig(level=level, format="%(relativeCreated)8d %(name)s: %(message)s")
    logging.getLogger("tests.bluez.build").setLevel(min(level, logging.INFO))
    from . import scenarios  # noqa: F401 - registers them

    if options.list:
        for each in SCENARIOS.values():
            say(f"{each.name}: {(each.body.__doc__ or '').strip()}")
        return 0
    options.limit = options.limit or (THOROUGH_LIMIT if options.thorough else LIMIT)
    cache = Cache()
    logs = (options.logs or cache.directory / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}").resolve()
    try:
        _chosen(options.scenarios)
        roots = build_all(cache, tuple(options.root or ROOTS))
    except BuildError as error:
        say(f"cannot run: {error}")
        return 2
    cache.tidy()
    signal.alarm(int(options.limit) + HARD_LIMIT_MARGIN)
    start = time.monotonic()
    try:
        results = asyncio.run(_run(options, roots, logs))
    except TimeoutError:
        say(f"FAILED: not done within {options.limit:g} s")
        return 1
    except asyncio.CancelledError:
        say("interrupted")
        return 130
    counts = {verdict: sum(each.verdict is verdict for each in results) for verdict in Verdict}
    say(
        ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items())
        + f", {time.monotonic() - start:.0f} s"
    )
    return 1 if counts[Verdict.FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
