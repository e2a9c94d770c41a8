"""Files on the disk: what is sent, and where what comes is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from ..programs.command import UsageError
from .flow import CHUNK

#: Bytes of the largest file: at 20 kB/s that takes an hour and a half.
MAX_SIZE = 100 << 20
MAX_NAME = 200
PART = ".part"


class Source:
    """A file that is sent.

    Raises:
        UsageError: it cannot be read or is too large.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._file: BinaryIO = path.open("rb")
            self.size = self._file.seek(0, 2)
            self._file.seek(0)
            digest = hashlib.sha256()
            while part := self._file.read(1 << 16):
                digest.update(part)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        if not 0 < self.size <= MAX_SIZE:
            self._file.close()
            raise UsageError(f"{path} has {self.size} bytes: a file may have 1 to {MAX_SIZE}")
        self.digest = digest.digest()

    def chunk(self, number: int) -> bytes:
        """Return the chunk of that number."""
        self._file.seek(number * CHUNK)
        return self._file.read(CHUNK)

    def close(self) -> None:
        self._file.close()


class Sink:
    """A file that comes, beside which nothing is overwritten.

    Args:
        directory: where it goes.
        name: what the sender calls it.

    Attributes:
        path: what it will be called.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.path = _free(directory / _safe(name))
        self._part = self.path.with_name(self.path.name + PART)
        self._file = self._part.open("xb")

    def write(self, chunk: bytes) -> None:
        """Add a chunk."""
        self._file.write(chunk)

    def keep(self) -> Path:
        """It is whole: give it its name."""
        self._file.close()
        return self._part.rename(self.path)

    def drop(self) -> None:
        """It is of no use; harmless when kept."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def _safe(name: str) -> str:
    """Return a name that stays in the directory, is not hidden, and can be shown."""
    plain = "".join(sign if sign.isprintable() and sign not in "/\\" else "_" for sign in name[:MAX_NAME])
    while len(plain.encode()) > MAX_NAME:
        plain = plain[:-1]
    return plain.lstrip(".") or "received"


def _free(path: Path) -> Path:
    number, free = 1, path
    while free.exists() or free.with_name(free.name + PART).exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
