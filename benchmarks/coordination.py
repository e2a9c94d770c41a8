"""How fast the coordination service grants locks, on each store: latency for one, and requests per second for many.

    python benchmarks/coordination.py [--seconds 5] [--json FILE]

Each store gets a service of its own (`python -m ble_coordination`), and Redis, if there is a redis-server, a server of
its own that writes each change to disk, as SQLite does. A lock is requested and released again and again over HTTP on
loopback, first by one client (latency of the request alone), then by sixteen at once on a device each (requests per
second, releases counted as well). The clients take their share of the processors: these are figures of a host that does
everything itself.

Exit code: 1 if a store is slower than `FLOOR`, which says that something is broken and not merely slow.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ble_coordination import DeviceCoordinationClient, LockType

CLIENTS = 16
#: Requests per second below which something is broken: a service that does ten adapters' work needs a hundredth.
FLOOR = 20.0


@dataclass(frozen=True)
class Figures:
    """What was measured on one store; times in milliseconds."""

    store: str
    request_p50: float
    request_p99: float
    requests_per_second: float


@contextlib.contextmanager
def process(*command: str, ready: str) -> Iterator[str]:
    """Run a program until the end of the context; yield the line with which it says that it is ready."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            for line in running.stdout:
                if ready in line:
                    yield line
                    return
            raise SystemExit(f"{command[0]} did not start")
        finally:
            running.terminate()


@contextlib.contextmanager
def stores(directory: Path) -> Iterator[dict[str, str]]:
    """Yield the stores that there are here, by what they are called in the table."""
    found = {f"SQLite {sqlite3.sqlite_version}, synced": f"sqlite:{directory / 'locks.db'}"}
    redis = shutil.which("redis-server")
    if redis is None:
        print("without Redis: install it with sudo apt install redis-server", file=sys.stderr)
        yield found
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = f"--port {port} --bind 127.0.0.1 --dir {directory} --appendonly yes --appendfsync always".split()
    version = subprocess.run([redis, "--version"], capture_output=True, text=True, check=True).stdout
    number = version.partition("v=")[2].split()[0]
    with process(redis, *settings, ready="Ready to accept connections"):
        yield {**found, f"Redis {number}, synced": f"redis://127.0.0.1:{port}/0"}


async def measure(name: str, url: str, seconds: float) -> Figures:
    async with DeviceCoordinationClient(url) as client:

        async def take(device: str) -> float:
            begun = time.perf_counter()
            answer = await client.request_lock(device, LockType.QUEUE_QUEUED, "benchmark")
            took = time.perf_counter() - begun
            assert answer.lock_key is not None, answer
            await client.release_lock(device, answer.lock_key)
            return took

        async def take_on(device: str, until: float) -> list[float]:
            took = []
            while time.perf_counter() < until:
                took.append(await take(device))
            return took

        await take_on("warm", time.perf_counter() + 0.5)
        alone = sorted(await take_on("hci0", time.perf_counter() + seconds))
        begun = time.perf_counter()
        many = await asyncio.gather(*(take_on(f"hci{n}", begun + seconds) for n in range(CLIENTS)))
        rate = 2 * sum(map(len, many)) / (time.perf_counter() - begun)
    return Figures(
        name,
        request_p50=round(1000 * statistics.median(alone), 2),
        request_p99=round(1000 * alone[int(len(alone) * 0.99)], 2),
        requests_per_second=round(rate),
    )


def table(all_figures: list[Figures]) -> str:
    rows = ["| store | lock request p50 | p99 | requests/s, 16 clients |", "|---|---|---|---|"]
    rows += [
        f"| {one.store} | {one.request_p50:.1f} ms | {one.request_p99:.1f} ms | {one.requests_per_second:,.0f} |"
        for one in all_figures
    ]
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="for each measurement (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    options = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as directory, stores(Path(directory)) as found:
        for name, store in found.items():
            command = [sys.executable, "-m", "ble_coordination", "--port", "0", "--store", store]
            with process(*command, ready="http://") as line:
                figures.append(asyncio.run(measure(name, line.split()[1], options.seconds)))
    print(table(figures))
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.machine()}")
    if options.json is not None:
        host = {"python": platform.python_version(), "processors": os.cpu_count(), "machine": platform.machine()}
        options.json.write_text(json.dumps({**host, "figures": [asdict(one) for one in figures]}, indent=2) + "\n")
    slow = [one.store for one in figures if one.requests_per_second < FLOOR]
    if slow:
        print(f"below {FLOOR:g} requests/s: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
