"""Eight processes fight over three devices while instances of the service are killed: never two holders.

In the suite in small; `make test-coordination` runs it with 2,000 requests each.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time

import pytest

from .history import Operation, violations
from .processes import ROOT, THOROUGH, Service, free_port

WORKERS = 8
OPERATIONS = 2000 if THOROUGH else 150


def request(sent: float, received: float, number: int, priority: int = 3, lease: float = 1.0) -> Operation:
    return Operation("request", "hci0", sent, received, True, number, priority, lease)


def use(kind: str, sent: float, number: int, done: bool | None = True, lease: float = 1.0) -> Operation:
    return Operation(kind, "hci0", sent, sent + 0.1, done, number, 0, lease)


GOOD = {
    "the lease ran out": [request(0, 0.1, 1), request(1.0, 1.1, 2)],
    "it waited until the lease ran out": [request(0, 0.1, 1), request(0.2, 1.1, 2)],
    "released": [request(0, 0.1, 1), use("release", 0.2, 1), request(0.3, 0.4, 2)],
    "the release was not answered": [request(0, 0.1, 1), use("release", 0.2, 1, None), request(0.3, 0.4, 2)],
    "overridden": [request(0, 0.1, 1, 3), request(0.2, 0.3, 2, 0)],
    "by force": [request(0, 0.1, 1), Operation("force", "hci0", 0.2, 0.3, True), request(0.4, 0.5, 2)],
    "by somebody who was not answered": [
        request(0, 0.1, 1),
        Operation("request", "hci0", 0.2, float("inf"), None, 0, 0, 1.0),
        request(0.4, 0.5, 3),
    ],
    "elsewhere": [request(0, 0.1, 1), Operation("request", "hci1", 0.2, 0.3, True, 2, 3, 1.0)],
    "a renewal made it shorter": [request(0, 0.1, 1), use("renew", 0.2, 1, lease=0.1), request(0.3, 0.4, 2)],
    "two at once have any order": [request(0, 1, 2, 0), request(0, 1, 1, 3)],
}
BAD = {
    "two holders": [request(0, 0.1, 1), request(0.2, 0.3, 2)],
    "a lower priority does not override": [request(0, 0.1, 1, 0), request(0.2, 0.3, 2, 3)],
    "a renewed lease had not run out": [request(0, 0.1, 1), use("renew", 0.9, 1), request(1.2, 1.3, 2)],
    "a refused release is none": [request(0, 0.1, 1), use("release", 0.2, 1, False), request(0.3, 0.4, 2)],
    "a release that comes after": [request(0, 0.1, 1), request(0.2, 0.3, 2), use("release", 0.5, 1, None)],
    "a force that was before": [Operation("force", "hci0", 0, 0.1, True), request(0.2, 0.3, 1), request(0.4, 0.5, 2)],
    "used after the next grant": [request(0, 0.1, 1, 3), request(0.2, 0.3, 2, 0), use("renew", 0.4, 1)],
    "numbers shrink": [request(0, 0.1, 2), request(5, 5.1, 1)],
    "a number twice": [request(0, 0.1, 1), request(5, 5.1, 1)],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_can_be_is_found_good(name: str) -> None:
    assert violations(GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_found(name: str) -> None:
    assert violations(BAD[name]) != []


class Instances:
    """Two instances on one store, one of which is killed and started again from time to time.

    Args:
        store: what both keep the locks in.
        pause: seconds between two kills, at most.
    """

    def __init__(self, store: str, pause: float) -> None:
        self._pause = pause
        self._store = store
        self._ports = [free_port(), free_port()]
        self.urls = [f"http://127.0.0.1:{port}" for port in self._ports]
        self._services = [Service("--store", store, port=port) for port in self._ports]
        self._ended = threading.Event()
        self.kills = 0
        self._thread = threading.Thread(target=self._kill_some)
        self._thread.start()

    def _kill_some(self) -> None:
        which = random.Random(1)
        while not self._ended.wait(which.uniform(self._pause / 4, self._pause)):
            n = which.randrange(2)
            self._services[n].close()
            self.kills += 1
            time.sleep(which.uniform(0, 0.3))
            self._services[n] = Service("--store", self._store, port=self._ports[n])

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        for running in self._services:
            running.close()


def test_there_is_never_more_than_one_holder(store_name: str) -> None:
    instances = Instances(store_name, pause=2.0 if THOROUGH else 0.5)  # in small it may be over in three seconds
    try:
        command = [sys.executable, "-m", "tests.coordination.history_worker"]
        workers = [
            subprocess.Popen(
                [*command, str(seed), str(OPERATIONS), *instances.urls], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            for seed in range(WORKERS)
        ]
        outputs: list[str] = [""] * WORKERS

        def read(n: int) -> None:
            outputs[n] = workers[n].communicate(timeout=900)[0]

        readers = [threading.Thread(target=read, args=(n,)) for n in range(WORKERS)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    finally:
        instances.close()
    assert [worker.returncode for worker in workers] == [0] * WORKERS
    history = [Operation(**json.loads(line)) for output in outputs for line in output.splitlines()]
    assert len(history) == WORKERS * OPERATIONS
    assert violations(history) == []
    # It was a fight: much was granted, refused, released, renewed, used too late and left unanswered.
    counts = {
        (kind, done): sum(o.kind == kind and o.done is done for o in history)
        for kind in ("request", "renew", "release", "force")
        for done in (True, False, None)
    }
    print(f"{store_name.partition(':')[0]}: {instances.kills} kills, {counts}")  # noqa: T201 - for `make test-coordination`
    assert instances.kills >= 2
    for kind in ("request", "renew", "release"):
        assert counts[kind, True] >= OPERATIONS / 10
        assert counts[kind, False] >= OPERATIONS / 10
    assert counts["request", None] + counts["renew", None] + counts["release", None] > 0
