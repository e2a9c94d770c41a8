"""Does `rnsd` load our section? Tried with a configuration of its own, in which nothing else is.

The radio is not started: a second node on the same adapter would end the links of one that runs.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from .places import FILE_NAME

#: Seconds that rnsd may take; a Raspberry Pi Zero needs some for its imports.
PATIENCE = 60.0
LOADED, REFUSED = "ble-interface: the section was loaded", "ble-interface: it was not loaded: "
CONFIGURATION = """\
[reticulum]
  enable_transport = no
  share_instance = no
  panic_on_interface_error = no
[interfaces]
"""
PROBE = f"""\
try:
    from ble_interface.reticulum import ReticulumBLEInterface
except ImportError as error:
    print("{REFUSED}", error, ", which has to be installed where rnsd is", flush=True)
    raise


class Probe(ReticulumBLEInterface):
    def __init__(self, *arguments):
        try:
            super().__init__(*arguments)
        except Exception as error:
            print("{REFUSED}", error, flush=True)
            raise

    def final_init(self):
        print("{LOADED}", flush=True)


interface_class = Probe
"""


def find_rnsd() -> str | None:
    """Return the rnsd that belongs to this Python, or else the one that people call."""
    beside = Path(sys.executable).with_name("rnsd")
    return str(beside) if beside.exists() else shutil.which("rnsd")


def why_not(section: str, rnsd: str) -> str | None:
    """Return what keeps `rnsd` from loading this section, None if it loads it."""
    with tempfile.TemporaryDirectory(prefix="ble-interface-") as name:
        directory = Path(name)
        (directory / "interfaces").mkdir()
        (directory / "interfaces" / FILE_NAME).write_text(PROBE)
        (directory / "config").write_text(f"{CONFIGURATION}{section}\n")
        with subprocess.Popen(
            [rnsd, "--config", name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that what a wrapper script started ends with it
        ) as process:
            assert process.stdout is not None
            lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
            reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
            reader.start()
            try:
                return _verdict(lines)
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                reader.join()  # at the end of the pipe, which is closed on leaving


def _read(stream: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        lines.put(line.strip())
    lines.put(None)


def _verdict(lines: queue.SimpleQueue[str | None]) -> str | None:
    said: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while (remaining := deadline - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=remaining)
        except queue.Empty:
            break
        if line is None:
            return "rnsd ended: " + " ".join(said[-3:])
        said.append(line)
        if LOADED in line:
            return None
        if REFUSED in line:
            return line.partition(REFUSED)[2].strip()
    return f"rnsd said nothing of it for {PATIENCE:g} s"
