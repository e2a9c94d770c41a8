"""What a lock is for, which is also how urgent it is."""

from __future__ import annotations

from enum import IntEnum


class LockType(IntEnum):
    """The priorities: lower wins."""

    MAINTENANCE = 0
    QUEUE_EXECUTING = 1
    MANUAL_OPERATOR = 2
    QUEUE_QUEUED = 3
