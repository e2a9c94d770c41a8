"""Packets that wait for one peer: filled by the stack's threads, emptied by the dispatcher."""

from __future__ import annotations

import threading
from collections import deque


class Outbox:
    """A queue of packets bounded in bytes. When it is full, the oldest go: news is worth more than history.

    Args:
        size: bytes of packets that may wait.

    Attributes:
        dropped: packets that were pushed out.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._packets: deque[bytes] = deque()
        self._bytes = 0
        self._idle = True
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, packet: bytes) -> bool:
        """Add a packet; return True if nobody is at work on the box, so that the caller must see to it."""
        with self._lock:
            self._packets.append(packet)
            self._bytes += len(packet)
            while self._bytes > self._size:
                self._bytes -= len(self._packets.popleft())
                self.dropped += 1
            idle, self._idle = self._idle, False
            return idle

    def take(self) -> bytes | None:
        """Return the oldest packet; None if there is none, and then whoever puts the next one is told."""
        with self._lock:
            if not self._packets:
                self._idle = True
                return None
            packet = self._packets.popleft()
            self._bytes -= len(packet)
            return packet

    def clear(self) -> int:
        """Throw away what waits; return how many packets that were."""
        with self._lock:
            count = len(self._packets)
            self._packets.clear()
            self._bytes = 0
            return count

    def __len__(self) -> int:
        return self._bytes
