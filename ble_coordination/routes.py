"""The HTTP interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from starlette.requests import Request

from .device_lock import Refusal, Wish
from .errors import InvalidRequestError, StoreUnavailableError
from .lock_type import LockType
from .reports import RECENT, Reports
from .schemas import (
    DeviceName,
    DeviceStatus,
    HappeningStatus,
    Health,
    LockAnswer,
    LockRequest,
    Problem,
    ReleaseRequest,
    RenewRequest,
    Status,
    device_status,
    happening_fields,
    holder_status,
)
from .service import CoordinationService, Denied, Granted
from .tasks import end_tasks

router = APIRouter()


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    texts = {
        400: "The body is not JSON.",
        401: "The token is missing or wrong.",
        403: "Sent from another host or site.",
        408: "The body did not arrive in time.",
        413: "The body is too large.",
        415: "The body is not said to be JSON.",
        422: "A field has a value that it cannot have.",
        429: "A bound of the service is met.",
        503: "The store does not answer.",
    }
    return {status: {"model": Problem, "description": texts[status]} for status in statuses}


READING, WRITING = _problems(401, 403, 422, 503), _problems(400, 401, 403, 408, 413, 415, 422, 429, 503)


async def _service(request: Request) -> CoordinationService:  # async, for FastAPI would call it on another thread
    reports: Reports = request.app.state.reports
    return reports.service


Service = Annotated[CoordinationService, Depends(_service)]


@asynccontextmanager
async def _noticing_the_end(request: Request) -> AsyncIterator[asyncio.Event]:
    """Yield an event that is set when whoever asks has gone away."""
    gone = asyncio.Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()

    task = asyncio.create_task(watch())
    try:
        yield gone
    finally:
        await end_tasks(task)


@router.post("/api/lock/request", responses=WRITING)
async def request_lock(body: LockRequest, request: Request, service: Service) -> LockAnswer:
    """Ask for the lock of a device.

    A request of higher priority takes it from its holder, whose key is dead from then on. Any other waits, if `wait` is
    not 0, or is refused.
    """
    wish = Wish(LockType[body.lock_type], body.user_id, body.timeout, body.reason, body.plan_uid)
    async with _noticing_the_end(request) as gone:
        answer = await service.request(body.device_name, wish, body.wait, gone)
    if isinstance(answer, Granted):
        return LockAnswer(
            success=True,
            device_name=body.device_name,
            lock_key=answer.key,
            fencing_number=answer.holder.fencing_number,
            expires_in=answer.holder.wish.timeout,
        )
    return _denied(body, answer, service)


def _denied(body: LockRequest, answer: Denied, service: CoordinationService) -> LockAnswer:
    holder = answer.holder
    if answer.why is Refusal.AWAITED or holder is None:
        error, message = "awaited", f"{body.device_name} is free, but others wait for it who go before"
    else:
        by = f"{holder.wish.user_id} ({holder.wish.lock_type.name})"
        error, message = "held", f"{body.device_name} is held by {by}"
    if answer.waited:
        error, message = "timed_out", f"{message}; waited {body.wait:g} s"
    return LockAnswer(
        success=False,
        device_name=body.device_name,
        error=error,  # type: ignore[arg-type]
        message=f"{message}: ask again later, wait longer, or ask with a higher priority",
        holder=None if holder is None else holder_status(holder, service.store.now()),
    )


@router.post("/api/lock/release", responses=WRITING)
async def release_lock(body: ReleaseRequest, service: Service) -> LockAnswer:
    """End a lock, by its key, or by force."""
    name = body.device_name
    if body.force:
        if body.user_id is None or body.lock_key is not None:
            raise InvalidRequestError("a release by force needs user_id, and takes no lock_key")
        holder = await service.force_release(name, body.user_id, body.reason or None, body.fencing_number)
        error, message = "not_held", "there is no such lock: it ended before, or somebody else has the device by now"
    else:
        if body.lock_key is None or body.fencing_number is not None or body.user_id is not None or body.reason:
            raise InvalidRequestError("a release needs lock_key and nothing more; other fields belong to force: true")
        holder = await service.release(name, body.lock_key)
        error, message = "lost", "the key is dead: the lock was overridden or released, or its lease ran out"
    if holder is None:
        return LockAnswer(success=False, device_name=name, error=error, message=message)  # type: ignore[arg-type]
    return LockAnswer(success=True, device_name=name, fencing_number=holder.fencing_number)


@router.post("/api/lock/renew", responses=WRITING)
async def renew_lock(body: RenewRequest, service: Service) -> LockAnswer:
    """Begin the lease of a lock anew."""
    name = body.device_name
    holder = await service.renew(name, body.lock_key, body.timeout)
    if holder is None:
        message = "the key is dead: the lock was overridden or released, or its lease ran out; request it anew"
        return LockAnswer(success=False, device_name=name, error="lost", message=message)
    return LockAnswer(
        success=True, device_name=name, fencing_number=holder.fencing_number, expires_in=holder.wish.timeout
    )


@router.get("/api/locks/status", responses=READING)
async def locks_status(service: Service) -> Status:
    """Return all devices that are locked or waited for, and what happened last."""
    snapshot, now = await service.status(), service.store.now()
    return Status(
        version=snapshot.version,
        devices=[device_status(lock, now) for lock in snapshot.locks.values() if not lock.is_free],
        recent=[HappeningStatus(**happening_fields(told)) for told in snapshot.history[-RECENT:]],  # type: ignore[arg-type]
    )


@router.get("/api/locks/device/{device_name}", responses=READING)
async def device(device_name: Annotated[DeviceName, Path()], service: Service) -> DeviceStatus:
    """Return one device; one that nobody has asked for is free."""
    return device_status(await service.device(device_name), service.store.now())


@router.get("/api/health/live")
async def live() -> Health:
    """The process answers."""
    return Health()


@router.get("/api/health/ready", responses=_problems(503))
async def ready(service: Service) -> Health:
    """The store answers as well."""
    await service.status()
    if not service.feed.is_current:
        raise StoreUnavailableError("the store does not answer: look at the log")
    return Health()
