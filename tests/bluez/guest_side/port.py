"""The guest's ends of its serial ports to the host."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

PORTS = Path("/sys/class/virtio-ports")
#: Seconds until a port's other end is looked for again.
POLL = 0.02


def open_port(name: str) -> int:
    """Open a virtio-serial port by its name, once the host holds its other end; before that, reads say end of file."""
    for directory in PORTS.iterdir():
        if (directory / "name").read_text().strip() == name:
            descriptor = os.open(f"/dev/{directory.name}", os.O_RDWR)
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            while any(events & select.POLLHUP for _, events in poll.poll(1000)):
                time.sleep(POLL)
            return descriptor
    raise SystemExit(f"there is no virtio-serial port {name!r}")
