"""The program: what it is told, and what it tells.

Exit code: 0 when it has run; 1 if a packet arrived that should not have; 2 if what it was told makes no sense, with one
line that says what to change; 130 if it was interrupted.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from ble_driver import BLEDriverError

from ..errors import BLEInterfaceError
from .interrupt import held_back
from .mesh import simulate
from .outcome import Outcome
from .picture import draw
from .progress import Progress
from .report import as_json, summary, sweep_summary
from .scenario import Scenario
from .sweep import sweep, sweep_on_cluster

PROGRAM = "ble_interface.simulate"
#: Seeds that one sweep may have.
MOST_SEEDS = 100_000


class UsageError(BLEInterfaceError, ValueError):
    """The command line makes no sense; the message says what to change."""


class _Parser(argparse.ArgumentParser):
    """Refuses in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit code.

    Args:
        arguments: instead of those of the command line.
    """
    progress = Progress(sys.stderr)
    try:
        options = _parser().parse_args(arguments)
        progress.show(0.0)
        outcomes = _run(options, progress)
    except (BLEInterfaceError, BLEDriverError) as error:
        progress.clear()
        print(f"{PROGRAM}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        progress.clear()
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return 130
    progress.clear()
    if options.json:
        print(as_json(outcomes))
    else:
        print(summary(outcomes[0]) if options.seeds is None else sweep_summary(outcomes))
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


def _run(options: argparse.Namespace, progress: Progress) -> list[Outcome]:
    seed = Scenario.seed if options.seed is None else options.seed
    scenario = Scenario(options.nodes, options.minutes, seed, options.churn, options.loss)
    if options.seeds is None:
        if options.dask is not None:
            raise UsageError("--dask spreads runs over a cluster: give it some, as in --seeds 1-100")
        plot = _writable(options.plot)
        outcome = _simulate(scenario, progress)
        if plot is not None:
            plot.write_text(draw(outcome), encoding="utf-8")
        return [outcome]
    if options.plot is not None:
        raise UsageError("--plot draws one run: give it one --seed, not --seeds")
    scenarios = [replace(scenario, seed=seed) for seed in options.seeds]
    if options.dask is not None:
        return sweep_on_cluster(options.dask, scenarios, progress.show)
    return sweep(scenarios, progress.show)


def _simulate(scenario: Scenario, progress: Progress) -> Outcome:
    with held_back() as check_interrupt:

        def show(done: float) -> None:
            check_interrupt()
            progress.show(done)

        return simulate(scenario, show)


def _writable(path: Path | None) -> Path | None:
    """Return a path that can be written to: it would be a pity to find out after an hour that it cannot."""
    if path is not None:
        try:
            path.touch()
        except OSError as error:
            raise UsageError(f"--plot cannot write {path}: {error.strerror}") from None
    return path


def _seeds(text: str) -> range:
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    if match is None or int(match[1]) > int(match[2]):
        raise argparse.ArgumentTypeError(f"seeds are two numbers such as 1-100, the lesser first, not {text!r}")
    seeds = range(int(match[1]), int(match[2]) + 1)
    if len(seeds) > MOST_SEEDS:
        raise argparse.ArgumentTypeError(f"a sweep has at most {MOST_SEEDS} seeds, not {len(seeds)}")
    return seeds


def _parser() -> argparse.ArgumentParser:
    scenario = Scenario()
    parser = _Parser(
        prog=f"python -m {PROGRAM}",
        description="A mesh of real interfaces on one virtual air, in one process and in virtual time.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--nodes", type=int, default=scenario.nodes, help="how many (default: %(default)s)")
    add("--minutes", type=float, default=scenario.minutes, help="of virtual time (default: %(default)s)")
    seeds = parser.add_mutually_exclusive_group()
    # No default here: argparse does not notice that a value is given which is the default already.
    seeds.add_argument("--seed", type=int, help=f"same seed, same run (default: {scenario.seed})")
    seeds.add_argument("--seeds", type=_seeds, metavar="FIRST-LAST", help="one run for each, on all cores")
    add("--churn", type=float, default=scenario.churn, help="how many times an hour each node goes away for a minute")
    add("--loss", type=float, default=scenario.loss, help="how likely one transmission is lost, from 0 to 0.9")
    add("--plot", type=Path, metavar="FILE", help="write a picture of the mesh, as SVG")
    add("--dask", metavar="ADDRESS", help="spread the runs over the Dask cluster of this scheduler")
    add("--json", action="store_true", help="a line of JSON for each run, for machines")
    return parser
