"""The client of the coordination service."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from .errors import ServiceRefusalError, ServiceUnavailableError, SettingError
from .limits import DEFAULT_LEASE, MAX_WAIT
from .lock_type import LockType
from .monitor import Monitor
from .tasks import end_tasks
from .updates import Device, LockAnswer, LockUpdate, Status, read_answer, read_device, read_status

logger = logging.getLogger(__name__)

A = TypeVar("A")

#: Seconds for an answer, besides those that the request may wait.
ANSWER_TIMEOUT = 10.0

UpdateCallback = Callable[[LockUpdate], object]
StatusCallback = Callable[[Status], object]


class DeviceCoordinationClient:
    """Speaks to the coordination service; all of it on one event loop.

    ``async with DeviceCoordinationClient(url) as client`` connects and disconnects. Each method that asks the service
    something raises ServiceUnavailableError if that does not answer, and ServiceRefusalError if it answers with an
    error. A lock that is merely not to be had is no error: the answer says why.

    Args:
        url: where the service is, such as ``http://127.0.0.1:60620``. It may have the token in it, for settings that
            are one text: ``http://TOKEN@pi4:60620``.
        token: the service's token, if it has one.

    Raises:
        SettingError: the URL cannot be used.
    """

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self.url, token_in_url = _check_url(url)
        token = token if token is not None else token_in_url
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http: httpx.AsyncClient | None = None
        self._updates: list[UpdateCallback] = []
        self._statuses: list[StatusCallback] = []
        self._monitor: Monitor | None = None
        self._monitoring: asyncio.Task[None] | None = None

    async def __aenter__(self) -> DeviceCoordinationClient:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    async def connect(self) -> None:
        """See whether the service is there and takes the token; harmless when connected."""
        if self._http is not None:
            return
        # The service is on this host or a near one: no proxy that the environment names.
        self._http = httpx.AsyncClient(
            base_url=self.url, headers=self._headers, timeout=ANSWER_TIMEOUT, trust_env=False
        )
        try:
            await self.status()
        except BaseException:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        """End everything; harmless when disconnected. Locks stay until they are released or their lease runs out."""
        await self.stop_websocket_monitoring()
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    # --- locks --------------------------------------------------------------------------------------------------------

    async def request_lock(
        self,
        device_name: str,
        lock_type: LockType,
        user_id: str,
        *,
        timeout: float = DEFAULT_LEASE,
        reason: str = "",
        plan_uid: str | None = None,
        wait: float = 0.0,
    ) -> LockAnswer:
        """Ask for the lock of a device.

        Args:
            device_name: such as ``hci0``.
            lock_type: what for; it decides who goes first.
            user_id: who asks, as others will read it.
            timeout: the lease in seconds.
            reason: why, for people.
            plan_uid: the plan that it belongs to, if any.
            wait: seconds to wait if it is not to be had at once, 300 at most. Whoever is cancelled meanwhile, or loses
                the connection, waits no longer.
        """
        body: dict[str, object] = {
            "device_name": device_name,
            "lock_type": LockType(lock_type).name,
            "user_id": user_id,
            "timeout": timeout,
            "reason": reason,
            "plan_uid": plan_uid,
            "wait": wait,
        }
        patience = ANSWER_TIMEOUT + min(wait, MAX_WAIT)
        return await self._ask(read_answer, "POST", "/api/lock/request", body, patience)

    async def renew_lock(self, device_name: str, lock_key: str, *, timeout: float | None = None) -> LockAnswer:
        """Begin a lease anew, in `timeout` seconds instead of those that it had, if given."""
        body: dict[str, object] = {"device_name": device_name, "lock_key": lock_key, "timeout": timeout}
        return await self._ask(read_answer, "POST", "/api/lock/renew", body)

    async def release_lock(self, device_name: str, lock_key: str) -> LockAnswer:
        """End a lock."""
        body: dict[str, object] = {"device_name": device_name, "lock_key": lock_key}
        return await self._ask(read_answer, "POST", "/api/lock/release", body)

    async def force_release_lock(
        self, device_name: str, user_id: str, *, reason: str = "", fencing_number: int | None = None
    ) -> LockAnswer:
        """End somebody else's lock; if `fencing_number` is given, only if it is still that one."""
        body: dict[str, object] = {
            "device_name": device_name,
            "force": True,
            "user_id": user_id,
            "reason": reason,
            "fencing_number": fencing_number,
        }
        return await self._ask(read_answer, "POST", "/api/lock/release", body)

    async def status(self) -> Status:
        """Return all devices that are locked or waited for, and what happened last."""
        return await self._ask(read_status, "GET", "/api/locks/status")

    async def device(self, device_name: str) -> Device:
        """Return one device; one that nobody has asked for is free."""
        return await self._ask(read_device, "GET", f"/api/locks/device/{quote(device_name, safe='')}")

    async def _ask(
        self,
        read: Callable[[Any], A],
        method: str,
        path: str,
        body: dict[str, object] | None = None,
        patience: float = ANSWER_TIMEOUT,
    ) -> A:
        if self._http is None:
            raise ServiceUnavailableError("the client is not connected: call connect first")
        try:
            response = await self._http.request(method, path, json=body, timeout=patience)
        except httpx.HTTPError as error:
            raise ServiceUnavailableError(f"no answer from {self.url}: {error or type(error).__name__}") from error
        try:
            data = response.json()
            if response.status_code == 200:
                return read(data)
            message, code = data.get("message", response.reason_phrase), data.get("error", "http_error")
        except (ValueError, LookupError, TypeError, AttributeError) as error:  # of whatever else may be in JSON
            raise ServiceUnavailableError(f"what answers at {self.url} is no coordination service") from error
        raise ServiceRefusalError(str(message), str(code), response.status_code)

    # --- changes ------------------------------------------------------------------------------------------------------

    def add_lock_update_callback(self, callback: UpdateCallback) -> Callable[[], None]:
        """Have `callback` called with each change while monitoring; return what takes it back.

        It is called on the event loop, must not block, and gets what happened while the connection was lost as soon as
        there is one again, as far as the service keeps it: its last 50 happenings.
        """
        return _add(self._updates, callback)

    def add_status_callback(self, callback: StatusCallback) -> Callable[[], None]:
        """Have `callback` called with the state of everything whenever the monitoring has connected."""
        return _add(self._statuses, callback)

    @property
    def is_monitoring(self) -> bool:
        """Whether changes are told at this moment."""
        return self._monitor is not None and self._monitor.connected.is_set()

    async def start_websocket_monitoring(self) -> None:
        """Follow the service's WebSocket from now on, connecting again whenever it is lost; harmless if that is so.

        Returns once the first connection is made, or right away if the service is not there.
        """
        if self._monitoring is not None:
            return
        scheme = "wss" if self.url.startswith("https:") else "ws"
        self._monitor = Monitor(
            f"{scheme}://{self.url.partition('://')[2]}/ws",
            self._headers,
            lambda update: _tell(self._updates, update),
            lambda status: _tell(self._statuses, status),
        )
        self._monitoring = asyncio.create_task(self._monitor.run())
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._monitor.connected.wait(), ANSWER_TIMEOUT)

    async def stop_websocket_monitoring(self) -> None:
        """Follow no more; harmless if that is so."""
        task, self._monitoring, self._monitor = self._monitoring, None, None
        await end_tasks(task)


def _add(callbacks: list[Any], callback: Any) -> Callable[[], None]:
    callbacks.append(callback)

    def remove() -> None:
        with contextlib.suppress(ValueError):
            callbacks.remove(callback)

    return remove


def _tell(callbacks: list[Any], news: object) -> None:
    for callback in list(callbacks):
        try:
            callback(news)
        except Exception:
            logger.exception("callback %r raised", callback)


def _check_url(url: object) -> tuple[str, str | None]:
    """Return the URL without its token, and that."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        good = parts is not None and parts.scheme in ("http", "https") and parts.hostname and not parts.query
        if parts is not None:
            _ = parts.port, httpx.URL(str(url))  # which raise if there is something else wrong with it
    except (ValueError, httpx.InvalidURL):
        good = False
    if not good:
        raise SettingError(f"the URL of a coordination service looks like http://127.0.0.1:60620, not {url!r}")
    assert parts is not None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}", parts.username
