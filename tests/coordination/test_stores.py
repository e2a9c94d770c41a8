"""What both stores promise, and what each does beyond."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ble_coordination import boot_clock, store
from ble_coordination.boot_clock import BootClock, since_boot
from ble_coordination.device_lock import Action, DeviceLock, Holder, Moment, Wish
from ble_coordination.errors import SettingError, StoreFormatError, StoreUnavailableError, TooManyDevicesError
from ble_coordination.limits import FEED_LENGTH, HISTORY_LENGTH
from ble_coordination.lock_type import LockType
from ble_coordination.open_store import default_store, store_named
from ble_coordination.store import Store

from .processes import ROOT, Redis, redis_server

WISH = Wish(LockType.QUEUE_QUEUED, "logger", 30.0, "reads", "plan")


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[Store]:
    made = store_named(name)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 60)

    asyncio.run(bounded())


def grant(key: str, wish: Wish = WISH) -> Callable[[DeviceLock, Moment], object]:
    return lambda lock, moment: lock.request(moment, wish, key)


def end(key: str) -> Callable[[DeviceLock, Moment], object]:
    return lambda lock, moment: lock.release(moment, key)


def test_a_change_is_kept_and_told(store_name: str) -> None:
    async def test() -> None:
        async with opened(store_name) as one:
            holder = await one.change("hci0", grant("k"))
            assert isinstance(holder, Holder)
        async with opened(store_name) as again:
            assert isinstance(await again.change("hci1", grant("l")), Holder)
            snapshot = await again.snapshot()
            assert (snapshot.version, list(snapshot.locks)) == (2, ["hci0", "hci1"])
            assert snapshot.locks["hci0"].holder == holder
            assert [told.happening.action for told in snapshot.history] == [Action.ACQUIRED, Action.ACQUIRED]
            assert abs(snapshot.history[0].at - time.time()) < 60
            entries = await again.entries_after(0)
            assert entries is not None
            assert [(e.version, e.lock.holder, e.told) for e in entries] == [
                (1, holder, snapshot.history[:1]),
                (2, snapshot.locks["hci1"].holder, snapshot.history[1:]),
            ]
            assert await again.entries_after(2) == []

    run(test)


def test_fencing_numbers_go_on_after_a_device_was_forgotten(store_name: str) -> None:
    async def test() -> None:
        async with opened(store_name) as one:
            numbers = []
            for n in range(5):
                holder = await one.change("hci0", grant(f"k{n}"))
                assert isinstance(holder, Holder)
                numbers.append(holder.fencing_number)
                await one.change("hci0", end(f"k{n}"))
                assert (await one.snapshot()).locks == {}
            assert numbers == sorted(set(numbers))

    run(test)


def test_a_step_that_raises_changes_nothing(store_name: str) -> None:
    async def test() -> None:
        def fail(lock: DeviceLock, moment: Moment) -> None:
            lock.request(moment, WISH, "k")
            raise ZeroDivisionError

        async with opened(store_name) as one:
            with pytest.raises(ZeroDivisionError):
                await one.change("hci0", fail)
            assert (await one.snapshot()).version == 0
            assert isinstance(await one.change("hci0", grant("l")), Holder)

    run(test)


def test_devices_are_bounded(store_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(store, "MAX_DEVICES", 2)
        async with opened(store_name) as one:
            for name in ("a", "b"):
                await one.change(name, grant("k"))
            with pytest.raises(TooManyDevicesError):
                await one.change("c", grant("k"))
            await one.change("a", end("k"))
            assert isinstance(await one.change("c", grant("k")), Holder)

    run(test)


def test_a_reader_that_was_away_too_long_is_told_so(store_name: str) -> None:
    async def test() -> None:
        async with opened(store_name) as one:
            for n in range(FEED_LENGTH // 2 + 5):
                await one.change("hci0", grant(f"k{n}"))
                await one.change("hci0", end(f"k{n}"))
            newest = (await one.snapshot()).version
            assert len((await one.snapshot()).history) == HISTORY_LENGTH
            assert await one.entries_after(newest - FEED_LENGTH - 1) is None
            assert len(await one.entries_after(newest - FEED_LENGTH) or ()) == FEED_LENGTH
            assert await one.entries_after(newest + 1) is None  # it comes from a store that was lost

    run(test)


def test_two_instances_agree_and_each_hears_of_the_other(store_name: str) -> None:
    async def test() -> None:
        async with opened(store_name) as one, opened(store_name) as two:

            async def many(which: Store, name: str) -> list[int]:
                numbers: list[int] = []
                while len(numbers) < 40:
                    holder = await which.change("hci0", grant(name))
                    if isinstance(holder, Holder):
                        numbers.append(holder.fencing_number)
                        assert await which.change("hci0", end(name)) is not None
                    await asyncio.sleep(0)
                return numbers

            both = await asyncio.gather(many(one, "a"), many(two, "b"))
            assert all(numbers == sorted(numbers) for numbers in both)
            assert len({number for numbers in both for number in numbers}) == 80
            assert await one.entries_after(0) == await two.entries_after(0)

    run(test)


def test_redis_announces_changes_to_other_instances(redis: Redis) -> None:
    async def test() -> None:
        async with opened(redis.url) as one, opened(redis.url) as two:
            await asyncio.wait_for(two.hint.wait(), 10)  # it listens
            two.hint.clear()
            await one.change("hci0", grant("k"))
            await asyncio.wait_for(two.hint.wait(), 10)

    run(test)


def test_leases_run_by_the_clock_of_redis(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of this host may be wrong by a year."""
    monkeypatch.setattr(time, "time", lambda: 1.0)

    async def test() -> None:
        async with opened(redis.url) as one:
            holder = await one.change("hci0", grant("k", Wish(LockType.QUEUE_QUEUED, "logger", 0.2)))
            assert isinstance(holder, Holder)
            seconds = int(redis.command("TIME").split(b"\r\n")[2])
            assert abs(holder.acquired_at - seconds) < 60
            await asyncio.sleep(0.25)
            assert isinstance(await one.change("hci0", grant("l")), Holder)

    run(test)


def test_a_commit_that_took_too_long_is_decided_anew(redis: Redis) -> None:
    """The lease ends between the reading and the writing: a renewal must not revive it."""

    async def test() -> None:
        async with opened(redis.url) as one:
            await one.change("hci0", grant("k", Wish(LockType.QUEUE_QUEUED, "logger", 0.2)))
            tries = 0

            def slow(lock: DeviceLock, moment: Moment) -> object:
                nonlocal tries
                tries += 1
                time.sleep(0.3)
                return lock.renew(moment, "k")

            assert await one.change("hci0", slow) is None
            assert tries == 2

    run(test)


def test_a_write_that_redis_made_but_did_not_answer_is_known(redis: Redis) -> None:
    async def test() -> None:
        from ble_coordination.redis_store import RedisStore

        async with opened(redis.url) as one:
            assert isinstance(one, RedisStore)
            commit = one._commit

            async def twice(**arguments: object) -> object:
                await commit(**arguments)  # type: ignore[arg-type]
                return await commit(**arguments)  # type: ignore[arg-type]

            one._commit = twice  # type: ignore[assignment]
            await one.change("hci0", grant("k"))
            assert await one.change("hci0", end("k")) is not None
            assert (await one.snapshot()).version == 2

    run(test)


def test_redis_that_is_gone_is_an_error_with_a_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        with redis_server(tmp_path) as own:
            async with opened(own.url) as one:
                assert "appendonly yes" in caplog.text
                await one.change("hci0", grant("k"))
                own.kill()
                with pytest.raises(StoreUnavailableError):
                    await one.change("hci0", end("k"))
                own.start()
                assert isinstance(await one.change("hci0", grant("l")), Holder)

    with caplog.at_level(logging.WARNING):
        run(test)


def test_redis_with_an_append_only_file_loses_nothing_by_kill_9(tmp_path: Path) -> None:
    async def test() -> None:
        with redis_server(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as own:
            async with opened(own.url) as one:
                first = await one.change("hci0", grant("k"))
                own.kill()
                own.start()
                assert await one.change("hci0", grant("k")) == first

    run(test)


WRITER = """
import asyncio, sys
from ble_coordination.device_lock import Wish
from ble_coordination.lock_type import LockType
from ble_coordination.open_store import store_named

async def main():
    store = store_named(sys.argv[1])
    await store.open()
    wish = Wish(LockType.QUEUE_QUEUED, "w", 30.0)
    for n in range(100_000):
        holder = await store.change("hci0", lambda lock, moment: lock.request(moment, wish, f"k{n}"))
        print(holder.fencing_number, flush=True)
        await store.change("hci0", lambda lock, moment: lock.release(moment, f"k{n}"))

asyncio.run(main())
"""


def test_kill_9_takes_back_no_fencing_number(store_name: str) -> None:
    last = 0
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, store_name]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            numbers = [int(writer.stdout.readline())]
            if last:  # the first grant after the kill has to wait for nobody: it was released, or is granted anew below
                assert numbers[0] > last
            numbers += [int(writer.stdout.readline()) for _ in range(30)]
            writer.send_signal(signal.SIGKILL)
            numbers += [int(line) for line in writer.stdout if line.endswith("\n")]
        assert numbers == sorted(set(numbers))
        last = numbers[-1]

        async def clear() -> None:
            async with opened(store_name) as one:
                await one.change("hci0", lambda lock, moment: lock.force_release(moment, "test"))

        run(clear)


def test_two_processes_may_share_a_file(tmp_path: Path) -> None:
    name = f"sqlite:{tmp_path / 'locks.db'}"

    async def test() -> None:
        async with opened(name) as one:
            command = [sys.executable, "-c", WRITER.replace("100_000", "50"), name]
            other = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
            mine = []
            while other.returncode is None:
                holder = await one.change("hci1", grant("k"))
                assert isinstance(holder, Holder)
                mine.append(holder.fencing_number)
                await one.change("hci1", end("k"))
                await asyncio.sleep(0.005)
            output, _ = await other.communicate()
            theirs = list(map(int, output.split()))
            assert len(theirs) == 50
            assert not set(mine) & set(theirs)
            snapshot = await one.snapshot()
            assert snapshot.version == 2 * len(mine) + 2 * len(theirs)

    run(test)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE precious (x)")
    database.close()
    text = tmp_path / "text.db"
    text.write_text("not a database at all, but long enough to be looked at" * 10)

    async def test() -> None:
        with pytest.raises(StoreFormatError, match="no store of this version"):
            async with opened(f"sqlite:{foreign}"):
                pass
        with pytest.raises(StoreUnavailableError, match="not a database"):
            async with opened(f"sqlite:{text}"):
                pass
        with pytest.raises(SettingError, match="there is no directory"):
            async with opened(f"sqlite:{tmp_path}/none/locks.db"):
                pass

    run(test)


def test_a_lease_goes_on_where_it_was_across_a_reboot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"sqlite:{tmp_path / 'locks.db'}"

    async def before() -> None:
        async with opened(name) as one:
            await one.change("hci0", grant("k"))

    async def after() -> None:
        async with opened(name) as one:
            lock = (await one.snapshot()).locks["hci0"]
            assert lock.holder is not None
            assert 29 < lock.holder.expires_at - one.now() <= 30

    run(before)
    monkeypatch.setattr("ble_coordination.sqlite_store.this_boot", lambda: "another")
    monkeypatch.setattr(boot_clock, "since_boot", lambda: 5.0)
    run(after)


def test_setting_the_time_of_day_ends_no_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with opened(f"sqlite:{tmp_path / 'locks.db'}") as one:
            await one.change("hci0", grant("k"))
            monkeypatch.setattr(time, "time", lambda: 4e9)
            assert await one.change("hci0", lambda lock, moment: lock.renew(moment, "k")) is not None

    run(test)


def test_the_clock_of_this_boot_stays() -> None:
    clock = BootClock("this", 100.0)
    assert clock.resumed("this", 1e9) is clock
    assert abs(clock.now() - since_boot() - 100.0) < 1


@pytest.mark.parametrize("text", ["", "sqlite:", "locks.db", "mysql://x", "redis:/x", "redis://h:port/0"])
def test_a_store_that_is_none(text: str) -> None:
    with pytest.raises(SettingError, match="redis://"):
        store_named(text)


def test_where_the_store_is_by_default(tmp_path: Path) -> None:
    assert default_store({"COORDINATION_REDIS_URL": "redis://r"}) == "redis://r"
    assert default_store({"STATE_DIRECTORY": "/var/lib/x"}) == "sqlite:/var/lib/x/locks.db"
    assert default_store({"XDG_STATE_HOME": str(tmp_path)}) == f"sqlite:{tmp_path}/ble-coordination/locks.db"
    assert (tmp_path / "ble-coordination").stat().st_mode & 0o777 == 0o700
