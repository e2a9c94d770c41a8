"""Who may speak to the service, and what it takes from the wire."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from ble_coordination.body import check_json
from ble_coordination.errors import InvalidJSONError, SettingError
from ble_coordination.guard import HEADERS, check_token, is_loopback
from ble_coordination.limits import MAX_BODY, MAX_DEPTH

from .processes import Service, ask, service, take
from .sockets import watching

TOKEN = "0123456789abcdef0123456789abcdef"
REQUEST = {"device_name": "hci0", "lock_type": "QUEUE_QUEUED", "user_id": "a"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that other hosts may reach, with a token."""
    directory = tmp_path_factory.mktemp("guarded")
    (directory / "token").write_text(f"{TOKEN}\n")
    arguments = ("--host", "0.0.0.0", "--token-file", str(directory / "token"))
    with service(*arguments, "--store", f"sqlite:{directory / 'locks.db'}") as running:
        yield running


def test_without_the_token_nothing_is_told(guarded: Service) -> None:
    for path, body in (
        ("/api/locks/status", None),
        ("/api/locks/device/hci0", None),
        ("/api/lock/request", REQUEST),
        ("/api/lock/release", {"device_name": "hci0", "force": True, "user_id": "a"}),
        ("/nowhere", None),
    ):
        for value in ("", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN):
            status, answer = ask(guarded.url + path, body, Authorization=value)
            assert (status, answer["error"]) == (401, "unauthorized")
            assert "Authorization: Bearer" in answer["message"]


def test_the_token_opens(guarded: Service) -> None:
    status, answer = ask(f"{guarded.url}/api/lock/request", REQUEST, Authorization=f"Bearer {TOKEN}")
    assert (status, answer["success"]) == (200, True)
    assert ask(f"{guarded.url}/api/locks/status", Authorization=f"bearer {TOKEN}", Host="pi.example")[0] == 200


def test_health_needs_no_token(guarded: Service) -> None:
    assert ask(f"{guarded.url}/api/health/live")[0] == 200
    assert ask(f"{guarded.url}/api/health/ready")[0] == 200


def test_the_websocket_needs_the_token_too(guarded: Service) -> None:
    url = f"ws://127.0.0.1:{guarded.port}/ws"
    without: list[dict[str, Any]] = [
        {},
        {"additional_headers": {"Authorization": "Bearer wrong"}},
        {"subprotocols": ["bearer.wrong"]},
    ]
    for options in without:
        with pytest.raises(InvalidStatus) as refused, connect(url, **options):
            pass
        assert refused.value.response.status_code == 401
        assert json.loads(refused.value.response.body)["error"] == "unauthorized"
    with watching(guarded, additional_headers={"Authorization": f"Bearer {TOKEN}"}):
        pass
    with watching(guarded, subprotocols=["ble-coordination", f"bearer.{TOKEN}"]) as browser:
        assert browser.connection.subprotocol == "ble-coordination"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[", "localhost.evil"])
def test_a_name_that_points_here_is_no_way_in(sqlite_served: Service, host: str) -> None:
    """DNS rebinding: the browser believes that it speaks to the attacker's host."""
    status, answer = ask(f"{sqlite_served.url}/api/locks/status", Host=host)
    assert (status, answer["error"]) == (403, "foreign_origin")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:80", "LOCALHOST:60620", "127.9.9.9"])
def test_this_hosts_own_names_are(sqlite_served: Service, host: str) -> None:
    assert ask(f"{sqlite_served.url}/api/locks/status", Host=host)[0] == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1"])
def test_a_page_of_another_origin_is_refused(sqlite_served: Service, origin: str) -> None:
    status, answer = ask(f"{sqlite_served.url}/api/lock/request", REQUEST, Origin=origin)
    assert (status, answer["error"]) == (403, "foreign_origin")
    url = f"ws://127.0.0.1:{sqlite_served.port}/ws"
    with pytest.raises(InvalidStatus) as refused, connect(url, origin=Origin(origin)):
        pass
    assert refused.value.response.status_code == 403


def test_the_own_page_is_not(sqlite_served: Service) -> None:
    assert ask(f"{sqlite_served.url}/api/lock/request", REQUEST, Origin=sqlite_served.url)[0] == 200
    with watching(sqlite_served, origin=sqlite_served.url):
        pass


def test_without_a_token_only_this_host_is_served(tmp_path: Path) -> None:
    """Whatever server `create_app` runs in, and whatever that binds to."""
    import asyncio

    from ble_coordination import create_app

    async def status_for(client: tuple[str, int] | None, anybody: bool = False) -> int:
        app = create_app(f"sqlite:{tmp_path / 'locks.db'}", anybody=anybody)
        sent: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b""}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/api/health/live",
            "raw_path": b"/api/health/live",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": client,
            "server": ("0.0.0.0", 80),
        }
        await app(scope, receive, send)  # type: ignore[arg-type]
        status = sent[0]["status"]
        assert isinstance(status, int)
        return status

    assert asyncio.run(status_for(("192.0.2.7", 1))) == 403
    assert asyncio.run(status_for(("127.0.0.1", 1))) == 200
    assert asyncio.run(status_for(("::1", 1))) == 200
    assert asyncio.run(status_for(None)) == 200  # a Unix socket
    assert asyncio.run(status_for(("192.0.2.7", 1), anybody=True)) == 200


def test_every_answer_forbids_what_the_page_does_not_need(sqlite_served: Service) -> None:
    import urllib.request

    for path in ("/", "/page.js", "/page.css", "/api/health/live", "/openapi.json"):
        with urllib.request.urlopen(sqlite_served.url + path, timeout=30) as answer:
            for name, value in HEADERS:
                assert answer.headers[name.decode()] == value.decode()
            assert answer.headers["server"] is None


# --- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "status", "error"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"\xff\xfe{}", 400, "invalid_json"),
        (b'{"device_name": "\xc3\x28"}', 400, "invalid_json"),
        (b'{"user_id": "\\ud800"}', 400, "invalid_json"),
        (b"NaN", 400, "invalid_json"),
        (b'{"timeout": Infinity}', 400, "invalid_json"),
        (b"[" * 8000, 400, "invalid_json"),
        (b"[" * 8000 + b"]" * 8000, 400, "invalid_json"),
        (b'{"timeout": 1' + b"0" * 9000 + b"}", 400, "invalid_json"),
        (b"[]", 422, "invalid_request"),
        (b'"text"', 422, "invalid_request"),
        (b"{}", 422, "invalid_request"),
        (b'{"a": "' + b"x" * MAX_BODY + b'"}', 413, "body_too_large"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_body_that_is_no_request_is_refused(sqlite_served: Service, raw: bytes, status: int, error: str) -> None:
    got, answer = ask(f"{sqlite_served.url}/api/lock/request", raw=raw)
    assert (got, answer["error"]) == (status, error)
    assert answer["success"] is False


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"device_name": "a/b"}, "device_name"),
        ({"device_name": ""}, "device_name"),
        ({"device_name": "x" * 65}, "device_name"),
        ({"device_name": "hci0\n"}, "device_name"),
        ({"device_name": "ä"}, "device_name"),
        ({"device_name": None}, "device_name"),
        ({"lock_type": "URGENT"}, "MAINTENANCE"),
        ({"lock_type": 0}, "lock_type"),
        ({"user_id": "a\x00b"}, "printable"),
        ({"user_id": "x" * 129}, "user_id"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": 1e9}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"wait": 301}, "wait"),
        ({"reason": "x" * 257}, "reason"),
        ({"priority": 0}, "priority: there is no such field"),
    ],
    ids=str,
)
def test_a_field_that_cannot_be_is_named(sqlite_served: Service, change: dict[str, object], names: str) -> None:
    status, answer = ask(f"{sqlite_served.url}/api/lock/request", {**REQUEST, **change})
    assert (status, answer["error"]) == (422, "invalid_request")
    assert names in answer["message"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_must_say_that_it_is_json(sqlite_served: Service, media_type: str) -> None:
    """What a page of another site may make a browser send without asking does not."""
    status, answer = ask(f"{sqlite_served.url}/api/lock/request", REQUEST, Content_Type=media_type)
    assert (status, answer["error"]) == (415, "media_type")


def test_a_body_without_end_is_cut_off(sqlite_served: Service) -> None:
    head = b"POST /api/lock/request HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", sqlite_served.port), timeout=30) as wire:
        wire.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < 100_000_000:
                wire.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
                sent += 0x4000
        except OSError:
            pass
        assert sent < 20_000_000
    assert take(sqlite_served.url)["success"] is True


@pytest.mark.parametrize("path", ["/nowhere", "/api/lock/nothing", "/docs", "/redoc", "/..%2f..%2fetc/passwd"])
def test_what_is_not_there_says_so(sqlite_served: Service, path: str) -> None:
    status, answer = ask(sqlite_served.url + path)
    assert (status, answer["error"]) == (404, "not_found")


def test_another_method_says_so(sqlite_served: Service) -> None:
    status, answer = ask(f"{sqlite_served.url}/api/locks/status", {})
    assert (status, answer["error"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "body",
    [
        {"device_name": "a"},
        {"device_name": "a", "lock_key": "k", "force": True, "user_id": "u"},
        {"device_name": "a", "force": True},
        {"device_name": "a", "lock_key": "k", "fencing_number": 1},
    ],
    ids=str,
)
def test_a_release_is_by_key_or_by_force(sqlite_served: Service, body: dict[str, object]) -> None:
    assert ask(f"{sqlite_served.url}/api/lock/release", body)[0] == 422


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


@given(VALUES, st.booleans())
def test_json_is_taken_up_to_its_depth(value: object, escaped: bool) -> None:
    body = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    if _depth(value) > MAX_DEPTH:
        with pytest.raises(InvalidJSONError, match="deeper"):
            check_json(body)
    else:
        check_json(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_an_error_with_a_name(body: bytes) -> None:
    try:
        check_json(body)
    except InvalidJSONError as error:
        str(error).encode("ascii")


@pytest.mark.parametrize("token", ["", "short", "x" * 257, "with space and more", "ümlaut-is-not-ascii"])
def test_a_token_that_cannot_be_used(token: str) -> None:
    with pytest.raises(SettingError, match="openssl rand"):
        check_token(token)


def test_what_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost", "LocalHost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "", "localhost.example", "128.0.0.1")))
