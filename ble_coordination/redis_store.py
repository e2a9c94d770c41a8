"""Locks in Redis, for several service instances that share them.

Redis makes each change in one atomic step, the script below: it takes effect only if nothing has changed since the
state was read and no lease or waiter in it has run out since by the clock of Redis; else it is decided anew on what
there is now. So the rules stay in `device_lock` alone, and all instances agree.

Every change is announced by pub/sub, which may lose some: an announcement is no more than a hint to read the feed,
which every instance also does each second.

What Redis forgets is gone. It must write an append-only file, at best with ``appendfsync always``, and must not evict:
else locks are lost, and fencing numbers begin again. The log says so if it is set up otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from .device_lock import DeviceLock, Moment
from .errors import SettingError, StoreUnavailableError
from .limits import FEED_LENGTH, HISTORY_LENGTH
from .store import FeedEntry, Snapshot, Step, Store, Told, parse_entries, take_step
from .tasks import end_tasks

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: What all keys begin with. The braces keep them together on a Redis cluster.
PREFIX = "{ble-coordination}:"
META, DEVICES, FEED, HISTORY = (PREFIX + name for name in ("meta", "devices", "feed", "history"))
CHANNEL = PREFIX + "changes"
#: Seconds for an answer of Redis, and before listening is tried again.
ANSWER_TIMEOUT, LISTEN_AGAIN = 5.0, 0.5
#: Decisions until a change is given up. Each miss means that another instance got one through.
TRIES = 200

#: ``meta`` has `revision`, which counts writes, `version`, which counts changes, and `last`, the id of the last write,
#: by which a write that is sent again because its answer was lost is known. The time is in microseconds.
COMMIT = """
local revision, id, stands_until, name, state, entry = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if redis.call('HGET', KEYS[1], 'last') == id then return 1 end
if (redis.call('HGET', KEYS[1], 'revision') or '0') ~= revision then return 0 end
local time = redis.call('TIME')
if stands_until ~= '' and time[1] * 1000000 + time[2] >= tonumber(stands_until) then return 0 end
redis.call('HSET', KEYS[1], 'last', id)
redis.call('HINCRBY', KEYS[1], 'revision', 1)
if state == '' then redis.call('HDEL', KEYS[2], name) else redis.call('HSET', KEYS[2], name, state) end
if entry ~= '' then
    local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
    redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[7], version .. '-0', 'entry', entry)
    for i = 9, #ARGV do redis.call('RPUSH', KEYS[4], ARGV[i]) end
    redis.call('LTRIM', KEYS[4], -tonumber(ARGV[8]), -1)
    redis.call('PUBLISH', KEYS[5], version)
end
return 1
"""


class RedisStore(Store):
    """Locks in a Redis server, 6 or newer.

    Args:
        url: such as ``redis://127.0.0.1:6379/0``, ``rediss://…`` for TLS or ``unix://…``.

    Raises:
        SettingError: the URL cannot be read.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        try:
            self._redis: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
                url,
                decode_responses=True,
                socket_timeout=ANSWER_TIMEOUT,
                socket_connect_timeout=ANSWER_TIMEOUT,
                retry=Retry(NoBackoff(), 0),  # `_ask` does that
            )
        except ValueError as error:
            raise SettingError(f"a Redis URL looks like redis://127.0.0.1:6379/0: {error}") from error
        self._commit = self._redis.register_script(COMMIT)
        # Changes of one instance need not collide with each other.
        self._turn = asyncio.Lock()
        self._ahead = 0.0  # of the clock of Redis before this process's monotonic one
        self._listener: asyncio.Task[None] | None = None

    async def open(self) -> None:
        seconds, micros = await self._ask(self._redis.time)
        self._saw(seconds, micros)
        await self._check_persistence()
        self._listener = asyncio.create_task(self._listen())

    async def close(self) -> None:
        await end_tasks(self._listener)
        self._listener = None
        await self._redis.aclose()

    async def change(self, device_name: str, step: Step[T]) -> T:
        async with self._turn:
            for _ in range(TRIES):
                done, result = await self._try_change(device_name, step)
                if done:
                    return result
        raise StoreUnavailableError(f"other instances changed the store {TRIES} times in between: ask again")

    async def _try_change(self, device_name: str, step: Step[T]) -> tuple[bool, T]:
        def read() -> Awaitable[Any]:
            pipe = self._redis.pipeline(transaction=True)
            pipe.hmget(META, "revision", "version")
            pipe.hget(DEVICES, device_name)
            pipe.hlen(DEVICES)
            pipe.time()
            return pipe.execute()

        (revision, version), state, devices, (seconds, micros) = await self._ask(read)
        now = self._saw(seconds, micros)
        moment = Moment(now, int(version or 0) + 1)
        outcome, stands_until = take_step(device_name, step, state, devices, moment, now)
        if not outcome.keep:
            return True, outcome.result
        until = "" if stands_until == float("inf") else round(stands_until * 1_000_000)
        arguments = [revision or 0, secrets.token_hex(8), until, device_name, outcome.state or "", outcome.entry or ""]
        arguments += [FEED_LENGTH, HISTORY_LENGTH, *(told.as_text() for told in outcome.told)]
        keys = [META, DEVICES, FEED, HISTORY, CHANNEL]
        done = await self._ask(lambda: self._commit(keys=keys, args=arguments))
        return bool(done), outcome.result

    async def snapshot(self) -> Snapshot:
        def read() -> Awaitable[Any]:
            pipe = self._redis.pipeline(transaction=True)
            pipe.hget(META, "version")
            pipe.hgetall(DEVICES)
            pipe.lrange(HISTORY, 0, -1)
            pipe.time()
            return pipe.execute()

        version, devices, history, (seconds, micros) = await self._ask(read)
        self._saw(seconds, micros)
        locks = {name: DeviceLock.from_text(name, devices[name]) for name in sorted(devices)}
        return Snapshot(int(version or 0), locks, tuple(map(Told.from_text, history)))

    async def entries_after(self, version: int) -> list[FeedEntry] | None:
        def read() -> Awaitable[Any]:
            pipe = self._redis.pipeline(transaction=True)
            pipe.hget(META, "version")
            pipe.xrange(FEED, min=f"({version}-0")
            return pipe.execute()

        newest, rows = await self._ask(read)
        found = [(int(number.partition("-")[0]), fields["entry"]) for number, fields in rows]
        return parse_entries(version, int(newest or 0), found)

    def now(self) -> float:
        return time.monotonic() + self._ahead

    async def _ask(self, command: Callable[[], Awaitable[Any]]) -> Any:
        """Return the answer to a command. It is sent again if the connection proves dead, which none must mind."""
        try:
            try:
                return await command()
            except RedisConnectionError:
                # All that were idle are from before Redis was restarted, too.
                await self._redis.connection_pool.disconnect(inuse_connections=False)
                return await command()
        except (RedisError, OSError, asyncio.TimeoutError) as error:
            raise StoreUnavailableError(f"Redis cannot be used: {error or type(error).__name__}") from error

    def _saw(self, seconds: int, micros: int) -> float:
        now = seconds + micros / 1_000_000
        self._ahead = now - time.monotonic()
        return now

    async def _listen(self) -> None:
        """Turn announcements into hints; after a break there may have been some."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=False) as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    while True:
                        if await pubsub.get_message(timeout=None) is not None:
                            self.hint.set()
            except (RedisError, OSError):  # the log says it where something is asked of the store
                await asyncio.sleep(LISTEN_AGAIN)

    async def _check_persistence(self) -> None:
        try:
            settings = await self._redis.config_get("appendonly", "maxmemory-policy")
        except RedisError:
            return  # an account that may not ask; then somebody has set it up with care
        if settings.get("appendonly") == "no":
            logger.warning(
                "Redis keeps no append-only file: locks and fencing numbers are lost when it ends; set appendonly yes"
            )
        if settings.get("maxmemory-policy", "noeviction") != "noeviction":
            logger.warning("Redis may evict locks when its memory is full: set maxmemory-policy noeviction")
