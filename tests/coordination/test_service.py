"""What users of the HTTP interface and the WebSocket rely on, on both stores."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .processes import Redis, Service, ask, redis_server, service, take, until
from .sockets import watching

#: A request that waits, as bytes: for those that hang up.
_BODY = b'{"device_name":"hci0","lock_type":"QUEUE_QUEUED","user_id":"gone","wait":60}'
_HEAD = (
    "POST /api/lock/request HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
)
WAITING = _HEAD.format(len(_BODY)).encode() + _BODY


def release(url: str, key: str, device: str = "hci0") -> dict[str, Any]:
    return ask(f"{url}/api/lock/release", {"device_name": device, "lock_key": key})[1]


def renew(url: str, key: str, **more: Any) -> dict[str, Any]:
    return ask(f"{url}/api/lock/renew", {"device_name": "hci0", "lock_key": key, **more})[1]


def device(url: str, name: str = "hci0") -> dict[str, Any]:
    return ask(f"{url}/api/locks/device/{name}")[1]


def in_background(url: str, **request: Any) -> Future[dict[str, Any]]:
    future: Future[dict[str, Any]] = Future()
    threading.Thread(target=lambda: future.set_result(take(url, **request)), daemon=True).start()
    return future


def test_a_lock_from_request_to_release(served: Service) -> None:
    granted = take(served.url, timeout=20, reason="reads", plan_uid="p7")
    assert granted["success"] is True
    assert len(granted["lock_key"]) >= 32
    assert granted["expires_in"] == 20
    holder = device(served.url)["holder"]
    assert 15 < holder.pop("expires_in") <= 20
    assert 0 <= holder.pop("held_for") < 5
    assert holder == {
        "lock_type": "QUEUE_QUEUED",
        "priority": 3,
        "user_id": "logger",
        "reason": "reads",
        "plan_uid": "p7",
        "fencing_number": granted["fencing_number"],
    }
    assert renew(served.url, granted["lock_key"], timeout=50)["expires_in"] == 50
    assert device(served.url)["holder"]["expires_in"] > 40
    assert release(served.url, granted["lock_key"])["success"] is True
    assert device(served.url) == {"device_name": "hci0", "locked": False, "holder": None, "waiting": []}
    for again in (release(served.url, granted["lock_key"]), renew(served.url, granted["lock_key"])):
        assert (again["success"], again["error"]) == (False, "lost")
        assert "the key is dead" in again["message"]
    assert take(served.url)["fencing_number"] > granted["fencing_number"]


def test_priorities_override_and_refuse(served: Service) -> None:
    with watching(served) as socket:
        first = take(served.url, kind="QUEUE_EXECUTING", user="node")
        for kind in ("QUEUE_EXECUTING", "MANUAL_OPERATOR", "QUEUE_QUEUED"):
            refused = take(served.url, kind=kind)
            assert (refused["success"], refused["error"], refused["lock_key"]) == (False, "held", None)
            assert refused["holder"]["user_id"] == "node"
            assert "held by node (QUEUE_EXECUTING)" in refused["message"]
        second = take(served.url, kind="MAINTENANCE", user="ann")
        assert second["fencing_number"] > first["fencing_number"]
        assert renew(served.url, first["lock_key"])["error"] == "lost"
        socket.update("acquired", user_id="node")
        lost = socket.update("force_released", user_id="node", by="ann", note="overridden by MAINTENANCE")
        assert lost["fencing_number"] == first["fencing_number"]
        assert socket.update("acquired", user_id="ann")["device"]["holder"]["priority"] == 0


def test_requests_wait_in_order_of_priority_then_arrival(served: Service) -> None:
    key = take(served.url, kind="QUEUE_EXECUTING")["lock_key"]
    waiting = {}
    for n, (user, kind) in enumerate([("c", "QUEUE_QUEUED"), ("d", "QUEUE_QUEUED"), ("a", "MANUAL_OPERATOR")], 1):
        waiting[user] = in_background(served.url, kind=kind, user=user, wait=60)
        until(lambda n=n: len(device(served.url)["waiting"]) == n, f"{user} waits")  # type: ignore[misc]
    assert [w["user_id"] for w in device(served.url)["waiting"]] == ["a", "c", "d"]
    for user in ("a", "c", "d"):
        begun = time.monotonic()
        assert release(served.url, key)["success"] is True
        granted = waiting[user].result(30)
        assert granted["success"], granted
        assert time.monotonic() - begun < 3, "it was not woken, but asked again by the clock"
        assert device(served.url)["holder"]["user_id"] == user
        key = granted["lock_key"]
    assert device(served.url)["waiting"] == []


def test_a_request_waits_no_longer_than_it_said(served: Service) -> None:
    take(served.url)
    refused = take(served.url, wait=0.3)
    assert (refused["success"], refused["error"]) == (False, "timed_out")
    assert "waited 0.3 s" in refused["message"]
    assert device(served.url)["waiting"] == []


def test_a_waiting_request_gets_the_lock_when_the_lease_runs_out(served: Service) -> None:
    with watching(served) as socket:
        take(served.url, user="dies", timeout=0.5)
        assert take(served.url, user="next", wait=30)["success"] is True
        socket.update("acquired", user_id="dies")
        socket.update("expired", user_id="dies")
        socket.update("acquired", user_id="next")


def test_who_hangs_up_while_waiting_gets_no_lock(served: Service) -> None:
    key = take(served.url)["lock_key"]
    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(WAITING)
        until(lambda: device(served.url)["waiting"], "it waits")
    until(lambda: not device(served.url)["waiting"], "it is withdrawn", 5)
    release(served.url, key)
    assert device(served.url)["locked"] is False


def test_who_hangs_up_as_the_lock_is_granted_does_not_hold_it(served: Service) -> None:
    """The release and the hanging up race; whichever wins, nobody holds the lock in the end."""
    kept = 0
    for _ in range(10):
        key = take(served.url)["lock_key"]
        with socket.create_connection(("127.0.0.1", served.port)) as wire:
            wire.sendall(WAITING)
            until(lambda: device(served.url)["waiting"], "it waits")
            threading.Thread(target=release, args=(served.url, key)).start()
        until(lambda: not device(served.url)["waiting"], "it waits no longer")
        time.sleep(0.1)
        now = device(served.url)
        # An answer that was on its way to a live socket cannot be taken back; then the lease ends it.
        kept += now["locked"]
        if now["locked"]:
            ask(f"{served.url}/api/lock/release", {"device_name": "hci0", "force": True, "user_id": "test"})
    assert kept <= 3


def test_an_operator_releases_by_force_only_what_was_seen(served: Service) -> None:
    force = {"device_name": "hci0", "force": True, "user_id": "ann", "reason": "stuck"}
    url = f"{served.url}/api/lock/release"
    assert ask(url, force)[1]["error"] == "not_held"
    first = take(served.url)
    with watching(served) as socket:
        assert ask(url, {**force, "fencing_number": first["fencing_number"] - 1})[1]["error"] == "not_held"
        assert ask(url, {**force, "fencing_number": first["fencing_number"]})[1]["success"] is True
        socket.update("force_released", user_id="logger", by="ann", note="stuck")
    assert renew(served.url, first["lock_key"])["error"] == "lost"


def test_no_key_is_ever_told_to_others(served: Service) -> None:
    with watching(served) as socket:
        granted = take(served.url, user="a")
        waiting = in_background(served.url, user="b", wait=60)
        until(lambda: device(served.url)["waiting"], "it waits")
        seen = [ask(f"{served.url}/api/locks/status")[1], device(served.url), socket.next(), socket.next()]
        release(served.url, granted["lock_key"])
        second = waiting.result(30)
        seen += [ask(f"{served.url}/api/locks/status")[1], socket.next(), socket.next()]
        text = json.dumps(seen)
        for secret in (granted["lock_key"], second["lock_key"], "digest", "ticket"):
            assert secret not in text


def test_the_websocket_answers(served: Service) -> None:
    take(served.url)
    with watching(served) as socket:
        socket.send({"type": "ping"})
        assert socket.until("pong") == {"type": "pong"}
        socket.send({"type": "get_status"})
        status = socket.until("status")  # the news of the lock may come between
        assert [d["device_name"] for d in status["devices"]] == ["hci0"]
        assert status["recent"][-1]["action"] == "acquired"
        socket.send(["dance"])
        assert "get_status" in socket.until("error")["message"]


def test_status_lists_devices_and_history(served: Service) -> None:
    key = take(served.url, "hci1", user="b")["lock_key"]
    take(served.url, "hci0", user="a")
    release(served.url, key, "hci1")
    status = ask(f"{served.url}/api/locks/status")[1]
    assert [(d["device_name"], d["holder"]["user_id"]) for d in status["devices"]] == [("hci0", "a")]
    assert [(h["device_name"], h["action"]) for h in status["recent"][-3:]] == [
        ("hci1", "acquired"),
        ("hci0", "acquired"),
        ("hci1", "released"),
    ]


def test_health(served: Service) -> None:
    assert ask(f"{served.url}/api/health/live") == (200, {"status": "ok"})
    assert ask(f"{served.url}/api/health/ready") == (200, {"status": "ok"})


def test_locks_outlive_the_service(store_name: str) -> None:
    with service("--store", store_name) as first:
        granted = take(first.url, timeout=60)
        first.kill()
    with service("--store", store_name) as second:
        assert take(second.url)["error"] == "held"
        assert renew(second.url, granted["lock_key"])["success"] is True
        assert [d["device_name"] for d in ask(f"{second.url}/api/locks/status")[1]["devices"]] == ["hci0"]


def test_a_waiting_request_of_a_killed_instance_is_forgotten(redis: Redis) -> None:
    with service("--store", redis.url) as one, service("--store", redis.url) as two:
        key = take(one.url)["lock_key"]
        with socket.create_connection(("127.0.0.1", two.port)) as wire:
            wire.sendall(WAITING)
            until(lambda: device(one.url)["waiting"], "it waits")
            two.kill()
        release(one.url, key)
        assert take(one.url, user="next")["error"] == "awaited"
        assert take(one.url, user="next", wait=60)["success"] is True


def test_instances_on_one_redis_agree_and_all_report(redis: Redis) -> None:
    with (
        service("--store", redis.url) as one,
        service("--store", redis.url) as two,
        watching(one) as at_one,
        watching(two) as at_two,
    ):
        granted = take(one.url, user="a")
        assert take(two.url, user="b")["holder"]["user_id"] == "a"
        waiting = in_background(two.url, user="b", wait=60)
        until(lambda: device(one.url)["waiting"], "it waits")
        assert release(two.url, granted["lock_key"])["success"] is True
        assert waiting.result(30)["success"] is True
        for socket_ in (at_one, at_two):
            socket_.update("acquired", user_id="a")
            socket_.update("released", user_id="a")
            socket_.update("acquired", user_id="b")


def test_changes_that_pub_sub_loses_arrive_all_the_same(redis: Redis) -> None:
    with service("--store", redis.url) as one, service("--store", redis.url) as two, watching(two) as socket_:
        for round_ in range(3):
            redis.command("CLIENT KILL TYPE pubsub")
            key = take(one.url, user=f"u{round_}")["lock_key"]
            release(one.url, key)
            socket_.update("acquired", user_id=f"u{round_}")
            socket_.update("released", user_id=f"u{round_}")


def test_changes_that_the_feed_forgot_are_read_anew(redis: Redis) -> None:
    with service("--store", redis.url) as one, watching(one) as socket_:
        take(one.url)
        socket_.update("acquired")
        redis.forget()
        message = socket_.next()
        assert (message["type"], message["devices"]) == ("initial_status", [])


def test_a_store_that_is_away_is_said_so(tmp_path: Path) -> None:
    with redis_server(tmp_path) as own, service("--store", own.url) as one:
        own.kill()
        status, answer = ask(
            f"{one.url}/api/lock/request", {"device_name": "a", "lock_type": "MAINTENANCE", "user_id": "b"}
        )
        assert (status, answer["error"]) == (503, "store_unavailable")
        assert ask(f"{one.url}/api/health/ready")[0] == 503
        assert ask(f"{one.url}/api/health/live")[0] == 200
        own.start()
        until(lambda: ask(f"{one.url}/api/health/ready")[0] == 200, "it is ready again")
        assert take(one.url)["success"] is True


def test_many_ask_at_once_and_one_gets_it(served: Service) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: take(served.url, user=f"u{n}"), range(40)))
    assert [a["success"] for a in answers].count(True) == 1
