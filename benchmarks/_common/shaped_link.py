"""A TCP connection that carries only so many bytes a second each way, as a radio does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Bytes that may pass at once after silence: about a window of frames.
BURST = 4096
#: Bytes that are passed on at a time.
PIECE = 1024


class Bucket:
    """Lets through `rate` bytes a second, and `BURST` more after silence."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._full = time.monotonic()  # when it has been filled up, or will have been

    def take(self, size: int) -> None:
        """Wait until these bytes may pass."""
        now = time.monotonic()
        self._full = max(self._full, now) + size / self._rate
        wait = self._full - now - BURST / self._rate
        if wait > 0:
            time.sleep(wait)


@contextmanager
def shaped_link(target: int, rate: float) -> Iterator[int]:
    """Forward connections to the local port `target`; what it yields is the port to connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=_serve, args=(server, target, rate), daemon=True)
        serving.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
            serving.join()


def _serve(server: socket.socket, target: int, rate: float) -> None:
    with contextlib.suppress(OSError):
        while True:
            near, _ = server.accept()
            far = socket.create_connection(("127.0.0.1", target))
            threading.Thread(target=_carry, args=(near, far, rate), daemon=True).start()


def _carry(near: socket.socket, far: socket.socket, rate: float) -> None:
    """Carry both ways until one end hangs up; then hang up on the other. Closed is what nobody reads any more."""
    with near, far:
        back = threading.Thread(target=_pump, args=(far, near, Bucket(rate)), daemon=True)
        back.start()
        _pump(near, far, Bucket(rate))
        back.join()


def _pump(source: socket.socket, sink: socket.socket, bucket: Bucket) -> None:
    with contextlib.suppress(OSError):
        sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := source.recv(PIECE):
            bucket.take(len(data))
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)  # wakes the pump that goes the other way


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
