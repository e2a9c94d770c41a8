"""What keeps the locks: the small interface that the SQLite file and Redis share.

A store knows no rules. It hands the state of one device to a step, together with the time by its own clock and the
number that the change will have, and keeps what became of it: all or nothing, one change after the other, however many
processes use the store. Each change gets an entry in the feed, from which every service instance learns of it.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from .device_lock import Action, DeviceLock, Happening, Moment, wish_from_json
from .errors import StoreFormatError, TooManyDevicesError
from .limits import MAX_DEVICES

T = TypeVar("T")

#: One change of one device. It may be called several times until the store has kept what it did, so it must do
#: nothing else.
Step = Callable[[DeviceLock, Moment], T]


@dataclass(frozen=True)
class Told:
    """A happening for people, as the history keeps it.

    Attributes:
        version: the change that it was part of.
        at: when, in seconds since 1970 by the clock of the host that the store is on.
        device_name: to which device.
        happening: what.
    """

    version: int
    at: float
    device_name: str
    happening: Happening

    def as_text(self) -> str:
        """Return what `from_text` takes."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Told:
        """Return what was kept."""
        data = json.loads(text)
        told = data.pop("happening")
        happening = Happening(**{**told, "action": Action(told["action"]), "wish": wish_from_json(told["wish"])})
        return cls(happening=happening, **data)


@dataclass(frozen=True)
class FeedEntry:
    """One change, and what the device is after it."""

    version: int
    lock: DeviceLock
    told: tuple[Told, ...]

    def as_text(self) -> str:
        """Return what `from_text` takes."""
        told = [one.as_text() for one in self.told]
        return json.dumps({"name": self.lock.device_name, "lock": self.lock.as_text(), "told": told})

    @classmethod
    def from_text(cls, version: int, text: str) -> FeedEntry:
        """Return what was kept."""
        data = json.loads(text)
        lock = DeviceLock.from_text(data["name"], data["lock"])
        return cls(version, lock, tuple(map(Told.from_text, data["told"])))


@dataclass(frozen=True)
class Snapshot:
    """All that there is at one version.

    Attributes:
        version: of the last change in it.
        locks: the devices that are locked or waited for, by name.
        history: what happened last, oldest first.
    """

    version: int
    locks: dict[str, DeviceLock]
    history: tuple[Told, ...]


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a step came to: its result, and what a store has to keep of it.

    Attributes:
        result: what the step returned.
        keep: whether there is anything to keep.
        state: the device's new state as text; None if it is free and takes no place any more.
        entry: for the feed, if others are to know.
        told: for the history.
    """

    result: T
    keep: bool
    state: str | None
    entry: str | None
    told: tuple[Told, ...]


def take_step(
    device_name: str, step: Step[T], state: str | None, devices: int, moment: Moment, wall: float
) -> tuple[Outcome[T], float]:
    """Let a step change the state that a store has read; return what to keep, and until when time lets it stand.

    Raises:
        TooManyDevicesError: there is no place for another device.
        StoreFormatError: the state cannot be read.
    """
    try:
        lock = DeviceLock(device_name) if state is None else DeviceLock.from_text(device_name, state)
    except (ValueError, TypeError, KeyError) as error:
        raise StoreFormatError(
            f"the state of {device_name} in the store cannot be read ({error!r}): was it written by another version?"
        ) from error
    stands_until = lock.next_deadline if lock.next_deadline > moment.now else float("inf")
    result = step(lock, moment)
    if state is None and not lock.is_free and devices >= MAX_DEVICES:
        raise TooManyDevicesError(f"{MAX_DEVICES} devices are locked or waited for already: release some")
    told = tuple(Told(moment.version, wall, device_name, happening) for happening in lock.happenings)
    entry = FeedEntry(moment.version, lock, told).as_text() if lock.changed else None
    new_state = None if lock.is_free else lock.as_text()
    return Outcome(result, lock.touched, new_state, entry, told), stands_until


class Store(ABC):
    """Where the locks are kept. All methods raise StoreUnavailableError if it cannot be reached.

    Attributes:
        hint: set when there may be a change that nobody here has seen. It may be set for nothing, and a change may come
            without it: the truth is in `entries_after`, which is asked every `poll_interval` seconds in any case.
        poll_interval: see above.
    """

    poll_interval = 1.0

    def __init__(self) -> None:
        self.hint = asyncio.Event()

    @abstractmethod
    async def open(self) -> None:
        """Get ready for use."""

    @abstractmethod
    async def close(self) -> None:
        """Free everything; harmless when closed."""

    @abstractmethod
    async def change(self, device_name: str, step: Step[T]) -> T:
        """Change one device by `step`, all or nothing, and return what that returned.

        Raises:
            TooManyDevicesError: there is no place for another device.
            StoreFormatError: what is kept cannot be read.
            StoreUnavailableError: the store cannot be reached; whether the change was made is not known.
        """

    @abstractmethod
    async def snapshot(self) -> Snapshot:
        """Return all that there is."""

    @abstractmethod
    async def entries_after(self, version: int) -> list[FeedEntry] | None:
        """Return the changes after `version`, in order; None if they are not all there any more."""

    @abstractmethod
    def now(self) -> float:
        """Return the store's clock in seconds, as well as it is known here without asking; for showing to people."""


def parse_entries(after: int, newest: int, rows: list[tuple[int, Any]]) -> list[FeedEntry] | None:
    """Return the entries of a feed if they are all there: each number from `after` + 1 to `newest`."""
    if after > newest:
        return None  # the store has lost what it had
    if [version for version, _ in rows] != list(range(after + 1, newest + 1)):
        return None
    return [FeedEntry.from_text(version, text) for version, text in rows]
