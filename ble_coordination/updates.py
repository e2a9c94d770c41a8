"""What a client is told, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from .device_lock import Action
from .lock_type import LockType

T = TypeVar("T")


@dataclass(frozen=True)
class LockHolder:
    """Who has a lock.

    Attributes:
        lock_type: what for.
        user_id: who.
        reason: why, for people.
        plan_uid: the plan that it belongs to, if any.
        fencing_number: the number of the grant.
        held_for: seconds since it was granted, when the service answered.
        expires_in: seconds until the lease runs out, when the service answered.
    """

    lock_type: LockType
    user_id: str
    reason: str
    plan_uid: str | None
    fencing_number: int
    held_for: float
    expires_in: float


@dataclass(frozen=True)
class LockWaiter:
    """Who waits for a lock, since `waits_for` seconds; the rest as in `LockHolder`."""

    lock_type: LockType
    user_id: str
    reason: str
    plan_uid: str | None
    waits_for: float


@dataclass(frozen=True)
class Device:
    """One device: who has its lock, and who waits for it, in the order in which they get it."""

    device_name: str
    holder: LockHolder | None
    waiting: tuple[LockWaiter, ...]


@dataclass(frozen=True)
class LockAnswer:
    """What became of a request.

    Attributes:
        success: whether it was done.
        device_name: on what.
        lock_key: by which the lock can be renewed and released; None if it was not granted.
        fencing_number: of the grant.
        expires_in: seconds of the lease, counted from when the service granted it.
        error: why not, for programs: ``held``, ``awaited``, ``timed_out``, ``lost`` or ``not_held``.
        message: why not, for people.
        holder: who has the lock instead.
    """

    success: bool
    device_name: str
    lock_key: str | None = None
    fencing_number: int | None = None
    expires_in: float | None = None
    error: str | None = None
    message: str | None = None
    holder: LockHolder | None = None


@dataclass(frozen=True)
class LockUpdate:
    """Something that happened to a lock.

    Attributes:
        action: what.
        device_name: on which device.
        version: the number of the change.
        at: when, in seconds since 1970.
        lock_type, user_id, reason, plan_uid, fencing_number: of the lock that it happened to.
        by: who took it or released it by force.
        note: why it was released by force.
    """

    action: Action
    device_name: str
    version: int
    at: float
    lock_type: LockType
    user_id: str
    reason: str
    plan_uid: str | None
    fencing_number: int
    by: str | None
    note: str | None


@dataclass(frozen=True)
class Status:
    """All devices that are locked or waited for, by name, and what happened last, oldest first."""

    version: int
    devices: dict[str, Device]
    recent: tuple[LockUpdate, ...]


def read_answer(data: Mapping[str, Any]) -> LockAnswer:
    """Return the answer that the service's JSON means."""
    answer = _pick(LockAnswer, data)
    return _pick(LockAnswer, {**vars(answer), "holder": _holder(data.get("holder"))})


def read_status(data: Mapping[str, Any]) -> Status:
    """Return the status that the service's JSON means."""
    devices = [read_device(device) for device in data["devices"]]
    recent = tuple(read_update(update) for update in data["recent"])
    return Status(data["version"], {device.device_name: device for device in devices}, recent)


def read_device(data: Mapping[str, Any]) -> Device:
    """Return the device that the service's JSON means."""
    waiting = tuple(_pick(LockWaiter, _with_type(waiter)) for waiter in data["waiting"])
    return Device(data["device_name"], _holder(data["holder"]), waiting)


def read_update(data: Mapping[str, Any]) -> LockUpdate:
    """Return the update that the service's JSON means."""
    return _pick(LockUpdate, {**_with_type(data), "action": Action(data["action"])})


def _holder(data: Mapping[str, Any] | None) -> LockHolder | None:
    return None if data is None else _pick(LockHolder, _with_type(data))


def _with_type(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "lock_type": LockType[data["lock_type"]]}


def _pick(cls: type[T], data: Mapping[str, Any]) -> T:
    """Fields that a newer service sends besides are left out."""
    return cls(**{field.name: data[field.name] for field in fields(cls) if field.name in data})  # type: ignore[arg-type]
