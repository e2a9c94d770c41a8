"""What the tests run beside themselves: the service, Redis, and a way to wait for either."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bluez.build.packages import require

ROOT = Path(__file__).parents[2]
#: Seconds for anything at all, however busy the machine is.
PATIENCE = 60.0
#: `make test-coordination` sets this: what takes minutes runs in full, and not only in small.
THOROUGH = bool(os.environ.get("COORDINATION_THOROUGH"))


def until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {patience:g} s: {what}"
        time.sleep(0.02)
    return value


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Service:
    """The service as users start it: ``python -m ble_coordination``. It prints its address once it serves."""

    def __init__(self, *arguments: str, port: int = 0, **environment: str) -> None:
        command = [sys.executable, "-W", "error::ResourceWarning", "-m", "ble_coordination", "--port", str(port)]
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the service did not start: {self.process.communicate(timeout=PATIENCE)[1]}")
        self.url = line.split()[1].rstrip("/").replace("0.0.0.0", "127.0.0.1")
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> tuple[int, str]:
        """Ask it to end; return its exit code and what it said on stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors

    def close(self) -> None:
        self.kill()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@contextlib.contextmanager
def service(*arguments: str, port: int = 0, **environment: str) -> Iterator[Service]:
    """A running service, which is gone at the end."""
    running = Service(*arguments, port=port, **environment)
    try:
        yield running
    finally:
        running.close()


class Redis:
    """A Redis of this test's own, which writes nothing to disk unless it is told to."""

    def __init__(self, directory: Path, *settings: str) -> None:
        require(("redis-server",))
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        self._settings = settings or ("--save", "", "--appendonly", "no")
        self.start()

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None
        self.process = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory), *self._settings],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        until(self._answers, "Redis answers")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.command("PING") == b"+PONG\r\n"
        return False

    def command(self, text: str) -> bytes:
        """Send one inline command; return the answer as it is."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as wire:
            wire.sendall(text.encode() + b"\r\n")
            return wire.recv(65536)

    def forget(self) -> None:
        """Forget everything."""
        assert self.command("FLUSHALL") == b"+OK\r\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)


@contextlib.contextmanager
def redis_server(directory: Path, *settings: str) -> Iterator[Redis]:
    """A running Redis, which is gone at the end."""
    running = Redis(directory, *settings)
    try:
        yield running
    finally:
        running.kill()


def ask(url: str, body: object = None, *, raw: bytes | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
    """Ask the service something without its client; return the status and what it answers."""
    data = raw if raw is not None else None if body is None else json.dumps(body).encode()
    fields = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(url, data, fields)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"{}")


def take(
    url: str, device: str = "hci0", kind: str = "QUEUE_QUEUED", user: str = "logger", **more: Any
) -> dict[str, Any]:
    """Ask for a lock; return the answer."""
    body = {"device_name": device, "lock_type": kind, "user_id": user, **more}
    status, answer = ask(f"{url}/api/lock/request", body)
    assert status == 200, answer
    return answer
