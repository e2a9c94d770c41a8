"""The default store: one SQLite file, nothing to install.

Each change is one transaction that is on the disk before it is answered, so that neither kill -9 nor a power cut can
take back a grant or a fencing number. SQLite works on a thread of its own; the event loop never waits for the disk.

One service process per file is the rule, but several on one host are safe: transactions take turns, and a process looks
twice a second for changes of the others. A file on a network file system is not: use Redis there.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from .boot_clock import BootClock, this_boot
from .device_lock import DeviceLock, Moment
from .errors import SettingError, StoreFormatError, StoreUnavailableError
from .limits import FEED_LENGTH, HISTORY_LENGTH
from .store import FeedEntry, Snapshot, Step, Store, Told, parse_entries, take_step

T = TypeVar("T")

#: Of the file: "BLEC" as a number, so that `file` and others can tell it, and the version of the tables below.
APPLICATION_ID, FORMAT = 0x424C4543, 1
#: Seconds to wait for another process that is writing. It writes for milliseconds.
BUSY_TIMEOUT = 5.0

TABLES = """
CREATE TABLE clock (boot_id TEXT NOT NULL, base REAL NOT NULL, last_seen REAL NOT NULL, version INTEGER NOT NULL);
CREATE TABLE devices (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE feed (version INTEGER PRIMARY KEY, entry TEXT NOT NULL);
CREATE TABLE history (number INTEGER PRIMARY KEY, told TEXT NOT NULL);
"""


class SqliteStore(Store):
    """Locks in a file.

    Args:
        path: the file; it is made if it is not there, but its directory has to be.
    """

    poll_interval = 0.5

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-store")
        self._connection: sqlite3.Connection | None = None
        self._clock: BootClock | None = None

    async def open(self) -> None:
        await self._on_thread(self._open)

    async def close(self) -> None:
        if self._connection is not None:
            await self._on_thread(self._close)
        self._thread.shutdown()

    async def change(self, device_name: str, step: Step[T]) -> T:
        result, kept = await self._on_thread(lambda: self._change(device_name, step))
        if kept:
            self.hint.set()
        return result

    async def snapshot(self) -> Snapshot:
        return await self._on_thread(self._snapshot)

    async def entries_after(self, version: int) -> list[FeedEntry] | None:
        return await self._on_thread(lambda: self._entries_after(version))

    def now(self) -> float:
        assert self._clock is not None, "the store is not open"
        return self._clock.now()

    # --- on the thread ------------------------------------------------------------------------------------------------

    async def _on_thread(self, work: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            # The work goes on when its caller is cancelled: a transaction is not left half done.
            return await asyncio.shield(future)
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"the store {self.path} cannot be used: {error}") from error

    def _open(self) -> None:
        if not self.path.parent.is_dir():
            raise SettingError(f"there is no directory {self.path.parent} for the store: create it, or name another")
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._connection = connection
            with self._transaction():
                self._create_or_check()
                self._clock = self._resume_clock()
        except BaseException:
            self._connection = None
            connection.close()
            raise

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreUnavailableError(f"the store {self.path} is closed")
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")

    def _create_or_check(self) -> None:
        database = self._database
        found = tuple(database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if found == (APPLICATION_ID, FORMAT):
            return
        if found != (0, 0) or database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise StoreFormatError(f"{self.path} is no store of this version: name another file, or move it away")
        for statement in TABLES.split(";"):
            database.execute(statement)
        database.execute("INSERT INTO clock VALUES (?, 0, 0, 0)", (this_boot(),))
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {FORMAT}")

    def _resume_clock(self) -> BootClock:
        boot_id, base, last_seen = self._database.execute("SELECT boot_id, base, last_seen FROM clock").fetchone()
        clock = BootClock(boot_id, base).resumed(this_boot(), last_seen)
        self._database.execute("UPDATE clock SET boot_id = ?, base = ?", (clock.boot_id, clock.base))
        return clock

    def _change(self, device_name: str, step: Step[T]) -> tuple[T, bool]:
        with self._transaction() as database:
            (version,) = database.execute("SELECT version FROM clock").fetchone()
            row = database.execute("SELECT state FROM devices WHERE name = ?", (device_name,)).fetchone()
            (devices,) = database.execute("SELECT count(*) FROM devices").fetchone()
            moment = Moment(self.now(), version + 1)
            outcome, _ = take_step(device_name, step, row[0] if row else None, devices, moment, time.time())
            if outcome.keep:
                if outcome.state is None:
                    database.execute("DELETE FROM devices WHERE name = ?", (device_name,))
                else:
                    database.execute("REPLACE INTO devices VALUES (?, ?)", (device_name, outcome.state))
                if outcome.entry is not None:
                    self._tell(moment, outcome.entry, outcome.told)
        return outcome.result, outcome.entry is not None

    def _tell(self, moment: Moment, entry: str, told: tuple[Told, ...]) -> None:
        database = self._database
        database.execute("UPDATE clock SET version = ?, last_seen = ?", (moment.version, moment.now))
        database.execute("INSERT INTO feed VALUES (?, ?)", (moment.version, entry))
        database.execute("DELETE FROM feed WHERE version <= ?", (moment.version - FEED_LENGTH,))
        for one in told:
            cursor = database.execute("INSERT INTO history (told) VALUES (?)", (one.as_text(),))
            number = cursor.lastrowid or 0
            database.execute("DELETE FROM history WHERE number <= ?", (number - HISTORY_LENGTH,))

    def _snapshot(self) -> Snapshot:
        database = self._database
        database.execute("BEGIN")  # all of one moment
        try:
            (version,) = database.execute("SELECT version FROM clock").fetchone()
            devices = database.execute("SELECT name, state FROM devices ORDER BY name").fetchall()
            history = database.execute("SELECT told FROM history ORDER BY number").fetchall()
        finally:
            database.execute("COMMIT")
        locks = {name: DeviceLock.from_text(name, state) for name, state in devices}
        return Snapshot(version, locks, tuple(Told.from_text(text) for (text,) in history))

    def _entries_after(self, version: int) -> list[FeedEntry] | None:
        (newest,) = self._database.execute("SELECT version FROM clock").fetchone()
        rows = self._database.execute(
            "SELECT version, entry FROM feed WHERE version > ? AND version <= ? ORDER BY version", (version, newest)
        ).fetchall()
        return parse_entries(version, newest, rows)
