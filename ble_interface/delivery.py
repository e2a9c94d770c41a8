"""The way up: packets and news of peers, in order, to an owner that may block."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from ble_driver import Worker

logger = logging.getLogger(__name__)

#: Bytes of packets that may wait for the owner, each with `OVERHEAD`. A stack that blocks for a minute at start-up
#: (PROTOCOL.md) misses nothing at what a Bluetooth link can bring.
DELIVERY_SIZE = 1 << 20
#: Bytes that a packet takes in memory beside its own: without them, a million packets of one byte might wait.
OVERHEAD = 256


class Delivery:
    """Hands things to the owner on a worker of its own. What is beyond the bound is dropped, the oldest first.

    Args:
        worker: where to call the owner.
        size: bytes of packets that may wait, each with `OVERHEAD`.

    Attributes:
        dropped: packets that were pushed out.
    """

    def __init__(self, worker: Worker, size: int = DELIVERY_SIZE) -> None:
        self._worker = worker
        self._size = size
        self._waiting: deque[tuple[int, Callable[[], object]]] = deque()
        self._bytes = 0
        self._busy = False
        self._closed = False
        self._lock = threading.Lock()
        self.dropped = 0

    def post(self, size: int, call: Callable[[], object]) -> None:
        """Queue a call that delivers `size` bytes; with a size of 0 it is news and never dropped."""
        cost = size + OVERHEAD if size else 0
        with self._lock:
            self._waiting.append((cost, call))
            self._bytes += cost
            while self._bytes > self._size:
                self._drop_oldest_packet()
            busy, self._busy = self._busy, True
        if not busy:  # one call at a time in the worker's own queue, which has no bound
            self._worker.post(self._deliver)

    def _drop_oldest_packet(self) -> None:
        index = next(i for i, (cost, _) in enumerate(self._waiting) if cost)
        self._bytes -= self._waiting[index][0]
        del self._waiting[index]
        self.dropped += 1

    def _deliver(self) -> None:
        while not self._closed:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                cost, call = self._waiting.popleft()
                self._bytes -= cost
            try:
                call()
            except Exception:
                logger.exception("the owner raised: %r", call)

    def close(self, timeout: float) -> None:
        """Deliver what waits, for at most `timeout` seconds, and nothing after."""
        self._worker.close(timeout)
        self._closed = True
