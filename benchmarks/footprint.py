"""What it takes to be there: time to import, memory, and what an idle node does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from ._common import Figure, Row
from ._common.children import ROOT

#: Milliseconds that the import may take; megabytes are not limited; the share of a core that an idle node may take.
IMPORT_LIMIT, IDLE_LIMIT = 100, 0.005
IMPORT_TURNS, PEERS = 15, 7
#: Seconds for which nodes are left idle.
IDLE_SECONDS = 60.0
OURS = "import ble_driver, ble_interface"
#: What each of these programs is compared with.
SIDES = {"ours": OURS, "asyncio": "import asyncio", "python": "pass"}
#: What optional packages are called; none may be imported before it is needed.
OPTIONAL = ("bleak", "bluezero", "bumble", "dbus", "dask", "distributed", "fastapi", "redis", "RNS", "LXMF", "drivers")


def rows(quick: bool) -> Iterator[Row]:
    """Measure each in processes of its own."""
    yield from _imports(3 if quick else IMPORT_TURNS)
    memory = {name: _program("memory", name) for name in ("python", "asyncio", "node")}
    grown = Figure(memory["node"] / 1024, 0.0)
    yield Row(
        "footprint", "memory of an idle node", grown, "MiB", memory["node"] / memory["asyncio"], "of bare asyncio"
    )
    seconds = 2.0 if quick else IDLE_SECONDS
    share = _program("idle", str(seconds), str(PEERS))
    what = f"a node with {PEERS} idle peers for {seconds:g} s, and its share of the mock air"
    yield Row("footprint", what, Figure(share * 100, 0.0), "% of a core", share, "of a core", IDLE_LIMIT)


def _imports(turns: int) -> Iterator[Row]:
    taken: dict[str, list[float]] = {name: [] for name in SIDES}
    _import_time(OURS)  # and with that, compiled
    for _ in range(turns):
        for name, statement in SIDES.items():
            taken[name].append(_import_time(statement))
    took = {name: Figure.of(times) for name, times in taken.items()}
    ours, bare = took["ours"], took["python"].median
    yield Row("footprint", OURS, ours, "ms", ours.median, "ms of CPU", IMPORT_LIMIT)
    beside = ours.median - took["asyncio"].median
    ratio = (ours.median - bare) / (took["asyncio"].median - bare)
    yield Row("footprint", f"{OURS}: without asyncio", Figure(beside, 0.0), "ms", ratio, "of `import asyncio`")
    names = _output(f"{OURS}; import sys; print(*sys.modules)").split()
    optional = [name for name in names if name.split(".")[0] in OPTIONAL]
    what = "optional packages, and modules in all, after that"
    yield Row("footprint", what, Figure(len(names), 0.0), "modules", len(optional), "optional packages", 0)


def _import_time(statement: str) -> float:
    """Return milliseconds of CPU, which are those of the clock when nothing else runs."""
    now = "time.process_time()"
    return float(_output(f"import time; begun = {now}; {statement}; print(({now} - begun) * 1e3)"))


def _output(program: str) -> str:
    return _run("-c", program)


def _program(*arguments: str) -> float:
    return float(_run("-m", "benchmarks._programs.idle_node", *arguments))


def _run(*arguments: str) -> str:
    # Compiled once, as what is installed is, whatever the shell says.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
