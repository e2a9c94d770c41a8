"""What a node is that does nothing; each prints one number.

python -m benchmarks._programs.idle_node memory WHAT         kilobytes of memory of python, of asyncio, or of a node
python -m benchmarks._programs.idle_node idle SECONDS PEERS  the share of a core of a node with idle peers
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks._common.star import Node


def memory(what: str) -> float:
    """Return the kilobytes of memory that this process takes when it is this."""
    if what == "asyncio":
        import asyncio  # noqa: F401
    elif what == "node":
        nodes = _nodes(1)
        time.sleep(1.0)
        kilobytes = _kilobytes()
        for node in nodes:
            node.stop()
        return kilobytes
    return _kilobytes()


def _kilobytes() -> float:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(status["VmRSS"].split()[0])


def idle(seconds: float, peers: int) -> float:
    """Return the CPU of all of some nodes, each linked to all others, divided among them."""
    nodes = _nodes(peers + 1)
    deadline = time.monotonic() + 60.0
    while any(node.links < peers for node in nodes):
        assert time.monotonic() < deadline, [node.links for node in nodes]
        time.sleep(0.1)
    time.sleep(0.5)
    begun, cpu = time.monotonic(), time.process_time()
    time.sleep(seconds)
    share = (time.process_time() - cpu) / (time.monotonic() - begun) / len(nodes)
    for node in nodes:
        node.stop()
    return share


def _nodes(count: int) -> list[Node]:
    # Here, because other processes of this program measure what it is not to have imported these.
    from benchmarks._common.star import Node
    from drivers.mock_ble_driver import VirtualAir

    air = VirtualAir(advertising_interval=0.1, duplicate_filter=10.0)
    return [Node(air, n, True) for n in range(1, count + 1)]


def main() -> None:
    """Do what the command line says."""
    what, *arguments = sys.argv[1:]
    print(memory(*arguments) if what == "memory" else idle(float(arguments[0]), int(arguments[1])))


if __name__ == "__main__":
    main()
