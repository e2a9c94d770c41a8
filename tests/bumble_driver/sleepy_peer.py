"""A peer in a process of its own, for a test that stops it."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ble_testing.contract import UUIDS
from drivers.bumble_driver import BumbleDriver


def main() -> None:
    radio, address = sys.argv[1:]
    ready = threading.Event()
    driver = BumbleDriver(radio=radio)
    driver.on_device_connected = lambda *_: ready.set()
    driver.set_identity(b"a sleepy peer's.")
    driver.start(*UUIDS)
    driver.connect(address)
    assert ready.wait(10)
    sys.stdout.write(json.dumps({"event": "ready", "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    driver.stop()


if __name__ == "__main__":
    main()
