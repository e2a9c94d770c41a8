"""One client of the history test, as a process: random requests, written down as JSON.

python history_worker.py SEED OPERATIONS URL...
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import time
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from tests.coordination.history import Operation

DEVICES = ("hci0", "hci1", "hci2")
PRIORITIES = ("MAINTENANCE", "QUEUE_EXECUTING", "MANUAL_OPERATOR", "QUEUE_QUEUED")
#: Keys that are remembered after they should be dead.
REMEMBERED = 20


class Worker:
    def __init__(self, seed: int, urls: list[str]) -> None:
        self._random = random.Random(seed)
        self._hosts = [urlsplit(url).netloc for url in urls]
        self._connections: dict[str, http.client.HTTPConnection] = {}
        self._keys: list[tuple[str, str, int]] = []

    def ask(self, path: str, body: dict[str, Any]) -> tuple[float, float, dict[str, Any] | None]:
        """Return when the request was sent and answered, and the answer, None if there was none."""
        host = self._random.choice(self._hosts)
        connection = self._connections.pop(host, None) or http.client.HTTPConnection(host, timeout=20)
        sent = time.monotonic()
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            with connection.getresponse() as response:
                answer = json.load(response)
                received = time.monotonic()
                self._connections[host] = connection
                # An error of the store leaves open whether it was done.
                return sent, received, answer if response.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
            time.sleep(0.02)
            return sent, float("inf"), None

    def step(self) -> Operation:
        """Do something."""
        if not self._keys or self._random.random() < 0.45:
            return self._request()
        if self._random.random() < 0.03:
            return self._force()
        newest = self._random.random() < 0.7
        return self._use(self._keys[-1] if newest else self._random.choice(self._keys))

    def _request(self) -> Operation:
        device, priority = self._random.choice(DEVICES), self._random.choices(range(4), (1, 3, 3, 6))[0]
        lease = self._random.choice((0.1, 0.2, 0.5, 1.5))
        body = {
            "device_name": device,
            "lock_type": PRIORITIES[priority],
            "user_id": "worker",
            "timeout": lease,
            "wait": self._random.choice((0, 0, 0.05)),
        }
        sent, received, answer = self.ask("/api/lock/request", body)
        if answer is None or not answer["success"]:
            done = None if answer is None else False
            return Operation("request", device, sent, received, done, 0, priority, lease)
        number = answer["fencing_number"]
        self._keys = [*self._keys[-REMEMBERED:], (device, answer["lock_key"], number)]
        return Operation("request", device, sent, received, True, number, priority, lease)

    def _force(self) -> Operation:
        device = self._random.choice(DEVICES)
        body = {"device_name": device, "force": True, "user_id": "worker"}
        sent, received, answer = self.ask("/api/lock/release", body)
        return Operation("force", device, sent, received, None if answer is None else answer["success"])

    def _use(self, lock: tuple[str, str, int]) -> Operation:
        device, key, number = lock
        body: dict[str, Any] = {"device_name": device, "lock_key": key}
        kind, lease = self._random.choice(("renew", "release")), 0.0
        if kind == "renew":
            lease = body["timeout"] = self._random.choice((0.1, 0.3, 1.0))
        sent, received, answer = self.ask(f"/api/lock/{kind}", body)
        done = None if answer is None else answer["success"]
        return Operation(kind, device, sent, received, done, number, 0, lease)


def main() -> None:
    seed, operations, *urls = sys.argv[1:]
    worker = Worker(int(seed), urls)
    for _ in range(int(operations)):
        sys.stdout.write(json.dumps(asdict(worker.step())) + "\n")


if __name__ == "__main__":
    main()
