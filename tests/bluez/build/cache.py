"""Where things that take long to make are kept."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)


#: Seconds after which what nobody has used is deleted; another checkout may use another version.
KEPT = 14 * 86400.0


class Cache:
    """A directory of artefacts. One that exists is whole: it is made under another name and renamed when done.

    Args:
        directory: where; by default what BLE_RIG_CACHE says, else ~/.cache/ble-interface-rig.
    """

    def __init__(self, directory: Path | None = None) -> None:
        chosen = directory or Path(os.environ.get("BLE_RIG_CACHE") or "~/.cache/ble-interface-rig")
        self.directory = chosen.expanduser().resolve()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold off other runners while building; the lock ends with the process, however that ends."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def artefact(self, name: str, recipe: object, make: Callable[[Path], None]) -> Path:
        """Return the directory of an artefact, making it if there is none or the recipe has changed.

        Args:
            name: what it is.
            recipe: whatever it depends on; its `repr` is compared.
            make: fills an empty directory.
        """
        digest = hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]
        path = self.directory / f"{name}.{digest}"
        if path.is_dir():
            os.utime(path)  # for `tidy`
            return path
        logger.info("making %s (once; it is kept in %s)", name, self.directory)
        start = time.monotonic()
        unfinished = self.directory / f"unfinished.{name}"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir()
        make(unfinished)
        unfinished.rename(path)
        logger.info("made %s in %.0f s", name, time.monotonic() - start)
        return path

    def tidy(self) -> None:
        """Delete artefacts and logs that are old and unused."""
        for path in (*self.directory.glob("*.*"), *self.directory.glob("logs/*")):
            if path.is_dir() and time.time() - path.stat().st_mtime > KEPT:
                shutil.rmtree(path, ignore_errors=True)
