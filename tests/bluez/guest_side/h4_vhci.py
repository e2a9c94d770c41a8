"""Glue: the controller behind a virtio-serial port, or of a radio daemon, as a Bluetooth adapter of this kernel.

    python -m tests.bluez.guest_side.h4_vhci PORT

The port, such as "radio0" or "127.0.0.1:7700", is a byte stream in H4 framing; /dev/vhci takes and gives one packet per
call. On SIGTERM the controller is reset when the adapter has vanished: peers see an adapter that was unplugged.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time

from .port import open_port

#: By H4 indicator, what a controller may send: length of the header, where the length of the rest is in it, and how
#: many bytes that has (Core Spec Vol 4, Part A, section 2, and Part E, section 5.4).
FRAMES = {0x02: (5, 3, 2), 0x04: (3, 2, 1)}
VENDOR = 0xFF
CREATE_PRIMARY_CONTROLLER = bytes((VENDOR, 0x00))
HCI_RESET = bytes((0x01, 0x03, 0x0C, 0x00))
RESET_COMPLETE = bytes((0x03, 0x0C, 0x00))
RESET_TIMEOUT = 2.0


class Terminated(BaseException):
    """SIGTERM came."""


def cut(stream: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole packets at the beginning of a stream, and the rest."""
    packets, start = [], 0
    while start < len(stream):
        header, at, size = FRAMES[stream[start]]
        if len(stream) < start + header:
            break
        end = start + header + int.from_bytes(stream[start + at : start + at + size], "little")
        if len(stream) < end:
            break
        packets.append(stream[start:end])
        start = end
    return packets, stream[start:]


def write_all(descriptor: int, data: bytes) -> None:
    """Write, however often that takes."""
    while data:
        data = data[os.write(descriptor, data) :]


def carry(port: int, vhci: int) -> None:
    """Carry packets both ways until the other end of the port is closed."""
    rest = b""
    while True:
        readable, _, _ = select.select((port, vhci), (), ())
        if vhci in readable:
            packet = os.read(vhci, 4096)
            if packet[0] != VENDOR:
                write_all(port, packet)
        if port in readable:
            data = os.read(port, 65536)
            if not data:
                return
            packets, rest = cut(rest + data)
            for packet in packets:
                os.write(vhci, packet)


def reset(port: int) -> None:
    """Silence the controller, and read away what it said before that."""
    os.write(port, HCI_RESET)
    deadline, heard = time.monotonic() + RESET_TIMEOUT, b""
    while RESET_COMPLETE not in heard:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select((port,), (), (), left)[0]:
            return
        heard += os.read(port, 65536)


def main() -> None:
    """Make the adapter and keep it."""

    def terminate(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    host, colon, number = sys.argv[1].partition(":")
    port = socket.create_connection((host, int(number))).detach() if colon else open_port(host)
    reset(port)
    vhci = os.open("/dev/vhci", os.O_RDWR)
    os.write(vhci, CREATE_PRIMARY_CONTROLLER)
    try:
        carry(port, vhci)
    except Terminated:
        os.close(vhci)
        reset(port)


if __name__ == "__main__":
    main()
