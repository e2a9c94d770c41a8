"""Scanner and clients on one adapter: who may use the radio now, who waits, and who has been given up.

Many controllers cannot scan and connect at once (PROTOCOL.md, BlueZ facts). So whoever wants the radio takes a turn,
in the order of asking:

- a *client* (connecting, pairing, whatever needs the radio to itself) has its turn alone;
- *scans* share theirs among each other, and are asked to stop as soon as a client is next;
- the *operation lock* keeps other clients out and lets the scanner be: it brackets what consists of several steps.

A turn waits only for conflicting turns that were asked for earlier, so nobody is overtaken for ever: a scan that waits
gets the radio between two clients, however many of them come.

The turns are taken by ``async with manager.client_operation()`` and ``async with manager.scan_pass()``, which give
them back whatever happens. The ``request_…`` and ``notify_…`` calls are the same turns for code that cannot put its
operation into one block, because it begins in one callback and ends in another.
"""

from .lock import OperationLock
from .manager import ExclusiveControlManager, ExclusiveControlStatus, ExclusiveControlTimeoutError
from .passes import ScanPasses
from .turns import Turn
from .waiting import WaitEvents

__all__ = [
    "ExclusiveControlManager",
    "ExclusiveControlStatus",
    "ExclusiveControlTimeoutError",
    "OperationLock",
    "ScanPasses",
    "Turn",
    "WaitEvents",
]
