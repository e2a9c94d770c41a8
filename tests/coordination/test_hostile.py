"""Peers that mean harm: they are refused, memory stays bounded, and everybody else is served on."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from ble_coordination.limits import (
    FIRST_REQUEST_TIMEOUT,
    MAX_CONNECTIONS,
    MAX_DEVICES,
    MAX_SOCKET_MESSAGE,
    MAX_SOCKETS,
    MAX_WAITERS,
    UNACKNOWLEDGED_TIMEOUT,
)

from .processes import Service, ask, service, take, until
from .sockets import watching

#: Bytes by which the service may grow under any of these. It keeps caches, and Python frees memory late.
GROWTH = 40_000_000


def post(length: int) -> bytes:
    """The head of a request with a body."""
    head = "POST /api/lock/request HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode()


def memory(service_: Service) -> int:
    """The resident bytes of the service."""
    pages = int(Path(f"/proc/{service_.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def descriptors(service_: Service) -> int:
    return len(os.listdir(f"/proc/{service_.process.pid}/fd"))


def served(service_: Service) -> bool:
    """Whether it grants a lock; while too many are connected it resets connections."""
    with contextlib.suppress(OSError):
        url, body = f"{service_.url}/api/lock/request", {"device_name": "s", "lock_type": "MAINTENANCE", "user_id": "s"}
        status, answer = ask(url, body)
        return status == 200 and (answer["success"] or answer["error"] == "held")
    return False


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Service]:
    """A service that must be as well afterwards as it was before."""
    with service("--store", f"sqlite:{tmp_path / 'locks.db'}") as running:
        take(running.url, "warm")
        before, opened = memory(running), descriptors(running)
        yield running
        until(lambda: served(running), "it serves", FIRST_REQUEST_TIMEOUT + 20)
        until(lambda: descriptors(running) <= opened + 2, "every descriptor is closed", 20)
        assert memory(running) - before < GROWTH
        code, errors = running.stop()
        assert code == 0
        assert "Traceback" not in errors


def test_ten_thousand_sockets_opened_and_dropped(victim: Service) -> None:
    for n in range(10_000):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", victim.port), timeout=10) as wire:
            if n % 4 == 1:
                wire.sendall(b"GET /ws HTTP/1.1\r\nHost: localhost\r\n")
            elif n % 4 == 2:
                wire.sendall(post(9) + b"{")
            elif n % 4 == 3:
                wire.sendall(os.urandom(64))


def test_a_thousand_sockets_that_say_nothing(victim: Service) -> None:
    """More than may be are refused at once; the others are ended when their time is over."""
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS + 200):
            stack.enter_context(socket.create_connection(("127.0.0.1", victim.port), timeout=10))
        until(lambda: descriptors(victim) <= MAX_CONNECTIONS + 30, "no more than the bound are kept")
        # Whoever comes now has to wait until the silent ones are gone.
        begun = time.monotonic()

        until(lambda: served(victim), "it serves again", FIRST_REQUEST_TIMEOUT + 20)
        assert time.monotonic() - begun < FIRST_REQUEST_TIMEOUT + 15


def test_bodies_that_never_end_in_time(victim: Service) -> None:
    with socket.create_connection(("127.0.0.1", victim.port), timeout=30) as wire:
        wire.sendall(post(100))
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    assert b" 408 " in answer
    assert b"body_timeout" in answer


def test_a_reader_that_does_not_read_is_cut_off(victim: Service) -> None:
    """It is asked for more than a megabyte and takes nothing; others hear everything meanwhile."""
    for n in range(200):
        take(victim.url, f"hci{n}", reason="x" * 256, user="u" * 128)
    with watching(victim) as good, contextlib.ExitStack() as stack:
        slow = socket.create_connection(("127.0.0.1", victim.port), timeout=2)
        stack.enter_context(slow)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b" 101 " in slow.recv(200)  # so that it counts among what is open
        text = b'{"type":"get_status"}'
        frame = bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text
        before, opened = memory(victim), descriptors(victim)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                slow.sendall(frame)
        assert memory(victim) - before < GROWTH
        key = take(victim.url, "news")["lock_key"]
        good.update("acquired", device_name="news")
        ask(f"{victim.url}/api/lock/release", {"device_name": "news", "lock_key": key})
        good.update("released", device_name="news")
        until(lambda: descriptors(victim) < opened, "it is cut off", UNACKNOWLEDGED_TIMEOUT + 20)


def test_websockets_are_bounded(victim: Service) -> None:
    url = f"ws://127.0.0.1:{victim.port}/ws"
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_SOCKETS):
            stack.enter_context(connect(url, compression=None))
        with pytest.raises(InvalidStatus) as refused, connect(url):
            pass
        assert refused.value.response.status_code == 429
        assert json.loads(refused.value.response.body)["error"] == "too_many_sockets"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"bytes", 1003),
        ("x" * (MAX_SOCKET_MESSAGE + 1), 1009),
        ("{", 1007),
        ("[" * 4000, 1007),
        ('{"type": "ping", "n": 1' + "0" * 4000 + "}", None),
    ],
    ids=["bytes", "long", "broken", "deep", "digits"],
)
def test_messages_that_make_no_sense_end_the_socket(victim: Service, message: str | bytes, code: int | None) -> None:
    with watching(victim) as socket_:
        socket_.connection.send(message)
        if code is None:
            socket_.until("pong")
            return
        with pytest.raises(ConnectionClosed) as closed:
            socket_.until_closed()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


def test_waiters_are_bounded(victim: Service) -> None:
    take(victim.url, timeout=60)
    body = b'{"device_name":"hci0","lock_type":"QUEUE_QUEUED","user_id":"w","wait":60}'
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_WAITERS):
            wire = stack.enter_context(socket.create_connection(("127.0.0.1", victim.port), timeout=10))
            wire.sendall(post(len(body)) + body)
        url = f"{victim.url}/api/locks/device/hci0"
        until(lambda: len(ask(url)[1]["waiting"]) == MAX_WAITERS, "all wait")
        status, answer = ask(f"{victim.url}/api/lock/request", json.loads(body))
        assert (status, answer["error"]) == (429, "too_many_waiters")
    until(lambda: not ask(url)[1]["waiting"], "all are gone")


def test_devices_are_bounded(victim: Service) -> None:
    url, body = f"{victim.url}/api/lock/request", {"lock_type": "QUEUE_QUEUED", "user_id": "a", "timeout": 6}
    answers = [ask(url, {**body, "device_name": f"d{n}"}) for n in range(MAX_DEVICES + 10)]
    assert (answers[-1][0], answers[-1][1]["error"]) == (429, "too_many_devices")
    until(lambda: ask(url, {**body, "device_name": "late"})[0] == 200, "leases that ran out make room")


def test_headers_without_end(victim: Service) -> None:
    with socket.create_connection(("127.0.0.1", victim.port), timeout=30) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 50_000_000:
                wire.sendall(b"X-Long: " + b"x" * 8000 + b"\r\n")
                sent += 8010
        assert sent < 20_000_000
