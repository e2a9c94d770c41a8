"""What programs rely on that use the client and the context."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ble_coordination import (
    Action,
    DeviceCoordinationClient,
    DeviceCoordinationContext,
    LockLostError,
    LockRefusedError,
    LockType,
    LockUpdate,
    ServiceRefusalError,
    ServiceUnavailableError,
    SettingError,
)

from .processes import Service, ask, free_port, service, take

QUEUED, OPERATOR, MAINTENANCE = LockType.QUEUE_QUEUED, LockType.MANUAL_OPERATOR, LockType.MAINTENANCE


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 60)

    asyncio.run(bounded())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what it waits for has no event
        await asyncio.sleep(0.01)


async def until_waiting(client: DeviceCoordinationClient, number: int) -> None:
    while len((await client.device("hci0")).waiting) != number:  # noqa: ASYNC110 - the same
        await asyncio.sleep(0.01)


def test_request_renew_release_status(served: Service) -> None:
    async def test() -> None:
        async with DeviceCoordinationClient(served.url) as client:
            granted = await client.request_lock("hci0", QUEUED, "a", timeout=20, reason="r", plan_uid="p")
            assert granted.success
            assert granted.lock_key is not None
            assert granted.expires_in == 20
            refused = await client.request_lock("hci0", QUEUED, "b")
            assert (refused.success, refused.error) == (False, "held")
            assert refused.holder is not None
            assert (refused.holder.user_id, refused.holder.lock_type) == ("a", QUEUED)
            assert (await client.renew_lock("hci0", granted.lock_key, timeout=40)).expires_in == 40
            holder = (await client.status()).devices["hci0"].holder
            assert holder is not None
            assert (holder.reason, holder.plan_uid, holder.fencing_number) == ("r", "p", granted.fencing_number)
            assert (await client.release_lock("hci0", granted.lock_key)).success
            assert (await client.device("hci0")).holder is None
            assert not (await client.force_release_lock("hci0", "ann")).success

    run(test)


def test_updates_arrive_in_order_and_once_over_a_reconnection(tmp_path: Path) -> None:
    store, port = f"sqlite:{tmp_path / 'locks.db'}", free_port()

    async def test() -> None:
        updates: list[LockUpdate] = []
        first = service("--store", store, port=port)
        running = first.__enter__()
        async with DeviceCoordinationClient(running.url) as client:
            client.add_lock_update_callback(updates.append)
            client.add_lock_update_callback(lambda update: 1 / 0)  # its own fault
            await client.start_websocket_monitoring()
            assert client.is_monitoring
            key = (await asyncio.to_thread(take, running.url))["lock_key"]
            await until(lambda: len(updates) == 1)
            running.kill()
            await until(lambda: not client.is_monitoring)
            with pytest.raises(ServiceUnavailableError):
                await client.status()
            first.__exit__(None, None, None)
            with service("--store", store, port=port) as again:
                body = {"device_name": "hci0", "lock_key": key}
                await asyncio.to_thread(ask, f"{again.url}/api/lock/release", body)
                await until(lambda: client.is_monitoring)
                await asyncio.to_thread(take, again.url, "hci1")
                await until(lambda: len(updates) == 3)
            seen = [(update.action, update.device_name) for update in updates]
            wanted = [(Action.ACQUIRED, "hci0"), (Action.RELEASED, "hci0"), (Action.ACQUIRED, "hci1")]
            assert seen == wanted

    run(test)


def test_the_context_renews_and_releases(served: Service) -> None:
    async def test() -> None:
        async with DeviceCoordinationClient(served.url) as client:
            async with DeviceCoordinationContext(client, "hci0", QUEUED, "a", timeout=1.0) as lock:
                await asyncio.sleep(2.0)
                holder = (await client.device("hci0")).holder
                assert holder is not None
                assert holder.fencing_number == lock.fencing_number
            assert (await client.device("hci0")).holder is None

    run(test)


def test_the_context_is_refused(served: Service) -> None:
    async def test() -> None:
        async with DeviceCoordinationClient(served.url) as client:
            await client.request_lock("hci0", QUEUED, "other")
            with pytest.raises(LockRefusedError, match="held by other"):
                async with DeviceCoordinationContext(client, "hci0", QUEUED, "a"):
                    pytest.fail("it ran without the lock")

    run(test)


def test_the_body_is_cancelled_at_once_when_the_lock_is_overridden(served: Service) -> None:
    async def test() -> None:
        async with DeviceCoordinationClient(served.url) as client, DeviceCoordinationClient(served.url) as other:
            taken = 0.0

            async def take_it() -> None:
                nonlocal taken
                await asyncio.sleep(0.1)
                assert (await other.request_lock("hci0", MAINTENANCE, "ann")).success
                taken = time.monotonic()

            task = asyncio.create_task(take_it())
            with pytest.raises(LockLostError, match="ann took it: overridden by MAINTENANCE"):
                async with DeviceCoordinationContext(client, "hci0", QUEUED, "a", timeout=60):
                    await asyncio.sleep(60)
            assert time.monotonic() - taken < 2
            await task
            # The task goes on as if nothing had been.
            await asyncio.sleep(0)
            holder = (await client.device("hci0")).holder
            assert holder is not None
            assert holder.user_id == "ann"

    run(test)


def test_the_body_is_cancelled_before_the_lease_is_over_when_the_service_is_gone(tmp_path: Path) -> None:
    async def test() -> None:
        with service("--store", f"sqlite:{tmp_path / 'locks.db'}") as running:
            async with DeviceCoordinationClient(running.url) as client:
                begun = 0.0

                async def work() -> None:
                    nonlocal begun
                    async with DeviceCoordinationContext(client, "hci0", QUEUED, "a", timeout=1.5):
                        begun = time.monotonic()
                        running.kill()
                        await asyncio.sleep(60)

                with pytest.raises(LockLostError, match="did not answer"):
                    await work()
                assert 0.5 < time.monotonic() - begun < 1.5 + 1.0

    run(test)


def test_an_outer_cancellation_stays_one(served: Service) -> None:
    async def test() -> None:
        async with DeviceCoordinationClient(served.url) as client:
            inside = asyncio.Event()

            async def work() -> None:
                async with DeviceCoordinationContext(client, "hci0", QUEUED, "a"):
                    inside.set()
                    await asyncio.sleep(60)

            task = asyncio.create_task(work())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await client.device("hci0")).holder is None

    run(test)


def test_an_error_of_the_body_stays_one(served: Service) -> None:
    async def test() -> None:
        async with DeviceCoordinationClient(served.url) as client:
            with pytest.raises(ZeroDivisionError):
                async with DeviceCoordinationContext(client, "hci0", QUEUED, "a"):
                    _ = 1 / 0
            assert (await client.device("hci0")).holder is None

    run(test)


def test_contexts_take_turns(served: Service) -> None:
    async def test() -> None:
        inside, most, turns = 0, 0, 0

        async def work(client: DeviceCoordinationClient, user: str) -> None:
            nonlocal inside, most, turns
            for _ in range(4):
                async with DeviceCoordinationContext(client, "hci0", QUEUED, user, timeout=10, wait=60):
                    inside += 1
                    most, turns = max(most, inside), turns + 1
                    await asyncio.sleep(0.01)
                    inside -= 1

        async with DeviceCoordinationClient(served.url) as one, DeviceCoordinationClient(served.url) as two:
            await asyncio.gather(work(one, "a"), work(one, "b"), work(two, "c"))
        assert (most, turns) == (1, 12)

    run(test)


def test_who_is_cancelled_while_waiting_waits_no_longer(served: Service) -> None:
    async def test() -> None:
        async with DeviceCoordinationClient(served.url) as client:
            await client.request_lock("hci0", QUEUED, "other")
            task = asyncio.create_task(client.request_lock("hci0", QUEUED, "a", wait=60))
            await until_waiting(client, 1)
            task.cancel()
            await until_waiting(client, 0)

    run(test)


def test_errors_have_names(served: Service) -> None:
    async def test() -> None:
        async with DeviceCoordinationClient(served.url) as client:
            with pytest.raises(ServiceRefusalError, match="device_name") as refused:
                await client.request_lock("no/name", QUEUED, "a")
            assert (refused.value.code, refused.value.status) == ("invalid_request", 422)
        with pytest.raises(ServiceUnavailableError, match="connect first"):
            await client.status()
        with pytest.raises(ServiceUnavailableError, match="no answer from"):
            await DeviceCoordinationClient(f"http://127.0.0.1:{free_port()}").connect()

    run(test)


def test_the_wrong_token_is_said_so(tmp_path: Path) -> None:
    token = "a-token-that-is-long-enough"
    (tmp_path / "token").write_text(token)

    async def test() -> None:
        arguments = ("--store", f"sqlite:{tmp_path / 'locks.db'}", "--token-file", str(tmp_path / "token"))
        with service(*arguments) as running:
            with pytest.raises(ServiceRefusalError) as refused:
                await DeviceCoordinationClient(running.url, token="another-token-of-length").connect()
            assert refused.value.code == "unauthorized"
            with_token = running.url.replace("http://", f"http://{token}@")
            for client in (DeviceCoordinationClient(running.url, token=token), DeviceCoordinationClient(with_token)):
                async with client:
                    await client.start_websocket_monitoring()
                    assert client.is_monitoring
                    assert token not in client.url

    run(test)


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b"null", b'{"devices": 1}'])
def test_something_else_that_answers_is_no_service(status: str, body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
            client = DeviceCoordinationClient(f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}")
            with pytest.raises((ServiceUnavailableError, ServiceRefusalError)) as raised:
                await client.connect()
            if not (status.startswith("404") and body.startswith(b"{")):
                assert "is no coordination service" in str(raised.value)

    run(test)


@pytest.mark.parametrize(
    "url",
    [
        *("", "127.0.0.1:60620", "redis://x", "http://", "http://h?x=1", None),
        *("http://h:99999", "http://h:x", "http://[::1]:x", "http://h\0", "http://\xe0..com"),
    ],
)
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(SettingError, match="http://127"):
        DeviceCoordinationClient(url)
