"""Take the adapter from bluetoothd, as programs do that speak HCI themselves, and hold it.

python -m tests.bluez.guest_side.holder
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time

from .report import say

#: The channel on which one program has a controller for itself (Linux, include/net/bluetooth/hci_sock.h).
HCI_CHANNEL_USER = 1


def main() -> None:
    """Bind a socket to the user channel of hci0; Python's own bind knows no channels."""
    holding = socket.socket(socket.AF_BLUETOOTH, socket.SOCK_RAW, socket.BTPROTO_HCI)
    address = struct.pack("=HHH", socket.AF_BLUETOOTH, 0, HCI_CHANNEL_USER)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.bind(holding.fileno(), address, len(address)) != 0:
        raise SystemExit(f"no user channel: {os.strerror(ctypes.get_errno())}")
    say("held")
    while True:
        time.sleep(1000)


if __name__ == "__main__":
    main()
