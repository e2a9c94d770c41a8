"""What clients did and were answered, and whether a service that grants each lock to one holder can have said that.

Nothing that the service tells of times is believed: only when each client sent its request and had its answer, by the
clock that all processes of a host share. A request without an answer, because the instance was killed, may or may not
have been carried out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

#: Seconds that two clocks of one host may differ by: leases run by another than the one that answers are timed by.
TOLERANCE = 0.02


@dataclass(frozen=True)
class Operation:
    """One request and its answer.

    Attributes:
        kind: request, renew, release or force.
        device: on what.
        sent, received: when; `received` is infinite if there was no answer.
        done: whether it was carried out; None if that is not known.
        fencing_number: of the lock that it was about or that it got; 0 if none.
        priority: of a request.
        lease: seconds, of a request or a renewal.
    """

    kind: str
    device: str
    sent: float
    received: float
    done: bool | None
    fencing_number: int = 0
    priority: int = 0
    lease: float = 0.0


def violations(history: list[Operation]) -> list[str]:
    """Return what cannot be if there is one valid holder at any time and fencing numbers only grow."""
    found = []
    by_device: dict[str, list[Operation]] = defaultdict(list)
    for operation in history:
        by_device[operation.device].append(operation)
    for operations in by_device.values():
        found += _numbers(operations) + _holders(operations)
    return found


def _grants(operations: list[Operation]) -> list[Operation]:
    granted = [operation for operation in operations if operation.kind == "request" and operation.done]
    return sorted(granted, key=lambda grant: grant.fencing_number)


def _numbers(operations: list[Operation]) -> list[str]:
    """A grant that was answered before another was asked for has the smaller number, and no two have the same."""
    found, grants = [], _grants(operations)
    for one, other in pairwise(grants):
        if one.fencing_number == other.fencing_number:
            found.append(f"the same number twice: {one} {other}")
    earliest = float("inf")
    for grant in reversed(grants):
        if earliest < grant.sent:
            found.append(f"a later grant has a smaller number: {grant}")
        earliest = min(earliest, grant.received)
    return found


def _holders(operations: list[Operation]) -> list[str]:
    """Each lock had ended when the next was granted, and nothing was done with it after."""
    found, grants = [], _grants(operations)
    uses: dict[int, list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.kind in ("renew", "release"):
            uses[operation.fencing_number].append(operation)
    for grant, following in pairwise(grants):
        own = uses[grant.fencing_number]
        found += [f"used after {following}: {use}" for use in own if use.done and use.sent > following.received]
        if not _may_have_ended(grant, own, operations, following):
            found.append(f"two holders: {grant} and {following}")
    return found


def _may_have_ended(grant: Operation, own: list[Operation], operations: list[Operation], following: Operation) -> bool:
    """Whether there is a reason for which `grant` had ended by the time of `following`."""
    by = following.received
    if following.priority < grant.priority:
        return True
    if any(use.kind == "release" and use.done is not False and use.sent <= by for use in own):
        return True
    for other in operations:
        if other.sent > by or other.received < grant.sent or other.done is False:
            continue
        if other.kind == "force":
            return True
        if other.kind == "request" and other.done is None and other.priority < grant.priority:
            return True  # it may have taken the lock, though nobody had the answer
    return by >= _earliest_end(grant, own) - TOLERANCE


def _earliest_end(grant: Operation, own: list[Operation]) -> float:
    """When the lease may have run out: by the last renewal, or by one after it of which there is no answer.

    A key is used by one client, one request after the other; a renewal may shorten the lease.
    """
    ends = [grant.sent + grant.lease]
    for use in sorted(own, key=lambda use: use.sent):
        if use.kind == "renew" and use.done:
            ends = [use.sent + use.lease]
        elif use.kind == "renew" and use.done is None:
            ends.append(use.sent + use.lease)
    return min(ends)
