"""What goes over HTTP and the WebSocket, each message a model: the OpenAPI description is made from these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .device_lock import DeviceLock, Holder, Waiter, Wish
from .limits import (
    DEFAULT_LEASE,
    MAX_DEVICE_NAME,
    MAX_ID,
    MAX_LEASE,
    MAX_REASON,
    MAX_WAIT,
    MIN_LEASE,
)
from .store import Told

LockTypeName = Literal["MAINTENANCE", "QUEUE_EXECUTING", "MANUAL_OPERATOR", "QUEUE_QUEUED"]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must have printable characters only")
    return text


DEVICE_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:\-]*$"
DeviceName = Annotated[
    str,
    Field(
        max_length=MAX_DEVICE_NAME,
        pattern=DEVICE_NAME_PATTERN,
        description="Letters, digits and . _ : - such as hci0 or pi4:hci0.",
        examples=["hci0"],
    ),
]
Id = Annotated[str, Field(min_length=1, max_length=MAX_ID, examples=["logger"]), AfterValidator(_printable)]
Reason = Annotated[str, Field(max_length=MAX_REASON), AfterValidator(_printable)]
Lease = Annotated[float, Field(ge=MIN_LEASE, le=MAX_LEASE, allow_inf_nan=False)]
#: Numbers of changes stay exact in JSON, whatever reads it.
Number = Annotated[int, Field(ge=0, le=2**53 - 1)]
Key = Annotated[str, Field(min_length=1, max_length=MAX_ID, pattern=r"^[A-Za-z0-9_\-]*$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class LockRequest(_Request):
    """A request for a lock."""

    device_name: DeviceName
    lock_type: LockTypeName = Field(description="What for, which is also the priority: the first wins.")
    user_id: Id = Field(description="Who asks, as others will read it.")
    timeout: Lease = Field(default=DEFAULT_LEASE, description="The lease in seconds; it can be renewed.")
    reason: Reason = ""
    plan_uid: Id | None = None
    wait: float = Field(
        default=0.0,
        ge=0,
        le=MAX_WAIT,
        allow_inf_nan=False,
        description="Seconds to wait for the lock if somebody of the same or a higher priority has it. The answer "
        "comes as soon as the lock is granted; if the connection ends before, the request is withdrawn.",
    )


class ReleaseRequest(_Request):
    """The end of a lock: by its key, or by force."""

    device_name: DeviceName
    lock_key: Key | None = None
    force: bool = Field(default=False, description="Release without the key; for operators.")
    user_id: Id | None = Field(default=None, description="Who releases by force.")
    reason: Reason = ""
    fencing_number: Number | None = Field(default=None, description="Release by force only if it is still this lock.")


class RenewRequest(_Request):
    """A new lease for a lock that is held."""

    device_name: DeviceName
    lock_key: Key
    timeout: Lease | None = Field(default=None, description="The new lease in seconds; by default as long as the last.")


# --- answers ----------------------------------------------------------------------------------------------------------


class WishStatus(BaseModel):
    """What somebody has a lock for, or waits for it."""

    lock_type: LockTypeName
    priority: int = Field(description="0 to 3, lower wins.")
    user_id: str
    reason: str
    plan_uid: str | None


class HolderStatus(WishStatus):
    """Who has a lock."""

    fencing_number: int
    held_for: float = Field(description="Seconds.")
    expires_in: float = Field(description="Seconds.")


class WaiterStatus(WishStatus):
    """Who waits for a lock."""

    waits_for: float = Field(description="Seconds.")


class DeviceStatus(BaseModel):
    """One device."""

    device_name: str
    locked: bool
    holder: HolderStatus | None
    waiting: list[WaiterStatus] = Field(description="In the order in which they get the lock.")


class HappeningStatus(WishStatus):
    """What happened to a lock, and whose it is or was."""

    version: int
    at: float = Field(description="Seconds since 1970.")
    action: Literal["acquired", "released", "force_released", "expired"]
    device_name: str
    fencing_number: int
    by: str | None = Field(description="Who took it, or released it by force.")
    note: str | None = Field(description="Why it was released by force.")


class Status(BaseModel):
    """All devices that are locked or waited for, and what happened last."""

    version: int = Field(description="Counts the changes.")
    devices: list[DeviceStatus]
    recent: list[HappeningStatus] = Field(description="Oldest first.")


class StatusMessage(Status):
    """The WebSocket's first message, and its answer to get_status."""

    type: Literal["initial_status", "status"]


class LockUpdateMessage(HappeningStatus):
    """Something happened to a lock."""

    type: Literal["lock_update"] = "lock_update"
    device: DeviceStatus


class DeviceUpdateMessage(BaseModel):
    """Nothing happened to a lock, but its lease is another, or those that wait are."""

    type: Literal["device_update"] = "device_update"
    version: int
    device: DeviceStatus


class LockAnswer(BaseModel):
    """What became of a request. If `success` is false, `error` is for programs and `message` for people."""

    success: bool
    device_name: str
    lock_key: str | None = Field(
        default=None, description="Whoever has it can renew and release the lock: keep it secret."
    )
    fencing_number: int | None = Field(
        default=None, description="Grows with every grant, so that what a late holder does can be told and refused."
    )
    expires_in: float | None = Field(default=None, description="Seconds.")
    error: Literal["held", "awaited", "timed_out", "lost", "not_held"] | None = Field(
        default=None,
        description="held: somebody of the same or a higher priority has it. awaited: somebody waits who goes before. "
        "timed_out: it was not free while the request waited. lost: the key is dead. not_held: there is no such lock.",
    )
    message: str | None = None
    holder: HolderStatus | None = Field(default=None, description="Who has the lock instead.")


class Problem(BaseModel):
    """A request that was refused."""

    success: Literal[False] = False
    error: str
    message: str


class Health(BaseModel):
    """The service works."""

    status: Literal["ok"] = "ok"


# --- from the model ---------------------------------------------------------------------------------------------------


def _wish(wish: Wish) -> dict[str, object]:
    return {
        "lock_type": wish.lock_type.name,
        "priority": int(wish.lock_type),
        "user_id": wish.user_id,
        "reason": wish.reason,
        "plan_uid": wish.plan_uid,
    }


def _seconds(value: float) -> float:
    return round(max(0.0, value), 3)


def holder_status(holder: Holder, now: float) -> HolderStatus:
    """Return what others may know of a holder."""
    return HolderStatus(
        **_wish(holder.wish),  # type: ignore[arg-type]
        fencing_number=holder.fencing_number,
        held_for=_seconds(now - holder.acquired_at),
        expires_in=_seconds(holder.expires_at - now),
    )


def _waiter_status(waiter: Waiter, now: float) -> WaiterStatus:
    return WaiterStatus(**_wish(waiter.wish), waits_for=_seconds(now - waiter.since))  # type: ignore[arg-type]


def device_status(lock: DeviceLock, now: float) -> DeviceStatus:
    """Return what others may know of a device."""
    holder = lock.holder
    return DeviceStatus(
        device_name=lock.device_name,
        locked=holder is not None,
        holder=None if holder is None else holder_status(holder, now),
        waiting=[_waiter_status(waiter, now) for waiter in lock.waiters],
    )


def happening_fields(told: Told) -> dict[str, object]:
    """Return the fields of a `HappeningStatus`."""
    happening = told.happening
    return {
        **_wish(happening.wish),
        "version": told.version,
        "at": round(told.at, 3),
        "action": happening.action.value,
        "device_name": told.device_name,
        "fencing_number": happening.fencing_number,
        "by": happening.by,
        "note": happening.note,
    }
