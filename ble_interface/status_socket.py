"""What a node tells other programs on its host: `BLEInterface.get_status()` as one line of JSON, to whoever connects.

Off unless the setting ``status_socket`` says otherwise. Each interface has a socket of its own in a directory that only
its user can enter, ``$XDG_RUNTIME_DIR/ble-interface`` or ``/tmp/ble-interface-UID``, so several nodes share a host:

    nc -U $XDG_RUNTIME_DIR/ble-interface/NAME-PID-1.sock

The socket takes no input. Whoever connects gets a line and is hung up on; who does not read loses his turn.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import re
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import BLEInterfaceError

logger = logging.getLogger(__name__)

#: Seconds that a reader may take, so that one that does not read does not keep others waiting for long.
READER_TIMEOUT = 1.0
#: Seconds that a node may take to answer, the readers before us included.
ANSWER_TIMEOUT = 5.0
#: Readers that may wait for their turn.
BACKLOG = 8
#: Bytes of the longest status that is read: 1000 peers take half of it.
MAX_STATUS = 1 << 20
#: Bytes of the longest path of a socket (sys/un.h on Linux).
MAX_PATH = 107
#: Characters of the interface's name in that of the socket.
MAX_NAME = 32

_numbers = itertools.count(1)


class StatusSocketError(BLEInterfaceError, OSError):
    """The socket cannot be had or read; the message says why."""


@dataclass(frozen=True)
class NodeSocket:
    """A node that runs on this host.

    Attributes:
        path: its socket.
        pid: its process.
    """

    path: Path
    pid: int

    def read(self) -> dict[str, Any]:
        """Return what the node tells, as `InterfaceStatus`.

        Raises:
            StatusSocketError: it does not answer.
        """
        line = bytearray()
        try:
            with _connect(self.path) as connection:
                while (part := connection.recv(65_536)) and len(line) <= MAX_STATUS:
                    line += part
            if len(line) > MAX_STATUS:
                raise ValueError("it is too long")
            status = json.loads(line)
        except (OSError, ValueError, RecursionError) as error:
            raise StatusSocketError(f"the node of process {self.pid} does not tell its status: {error}") from error
        if not isinstance(status, dict):
            raise StatusSocketError(f"the node of process {self.pid} tells no status")
        return status


class StatusSocket:
    """Serves a status until it is closed, on a thread of its own.

    Args:
        name: of the interface, for the path.
        get_status: returns what to tell, as plain values; called on the thread.
        directory: where to put the socket; by default where `running_nodes` looks.

    Attributes:
        path: the socket.

    Raises:
        StatusSocketError: there is no place for it, or one that is not safe.
    """

    def __init__(self, name: str, get_status: Callable[[], Mapping[str, Any]], directory: Path | None = None) -> None:
        clean = re.sub(r"[^A-Za-z0-9_]+", "_", name)[:MAX_NAME] or "node"
        directory = directory or _own_directory()
        self.path = directory / f"{clean}-{os.getpid()}-{next(_numbers)}.sock"
        self._get_status = get_status
        self._closed = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            _make_private(directory)
            self.path.unlink(missing_ok=True)  # left by a process that was killed and had our number
            self._listener.bind(str(self.path))
            self._listener.listen(BACKLOG)
        except OSError as error:
            self._listener.close()
            raise StatusSocketError(f"no status socket at {self.path}: {error}") from error
        self._thread = threading.Thread(target=self._serve, name=f"{name}-status", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                reader, _ = self._listener.accept()
            except OSError:
                self._closed.wait(READER_TIMEOUT)  # if it is not closed, the process has too many files open
                continue
            with reader:
                self._answer(reader)

    def _answer(self, reader: socket.socket) -> None:
        try:
            reader.settimeout(READER_TIMEOUT)
            reader.sendall(json.dumps(self._get_status()).encode() + b"\n")
        except OSError:
            pass  # whoever went away needs no answer
        except Exception:  # of a driver that is not ours: the next reader is to get an answer
            logger.exception("%s: there is no status to tell", self.path.name)

    def close(self) -> None:
        """Serve no more; harmless when closed."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread up
        self._thread.join(2 * READER_TIMEOUT)
        self._listener.close()  # not under the thread, which could find another file under its number
        self.path.unlink(missing_ok=True)


def running_nodes() -> list[NodeSocket]:
    """Return the nodes of this user on this host; for root, those of every user. Sockets of the dead are removed."""
    return sorted((node for directory in _directories() for node in _nodes_in(directory)), key=lambda node: node.path)


def _nodes_in(directory: Path) -> Iterator[NodeSocket]:
    try:
        paths = list(directory.glob("*-*-*.sock"))
    except OSError:
        return
    for path in paths:
        pid = path.stem.split("-")[-2]
        if not pid.isdecimal():
            continue  # none of ours
        try:
            _connect(path).close()
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):
                path.unlink()
        except OSError:
            continue  # gone meanwhile, or not to be had
        else:
            yield NodeSocket(path, int(pid))


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_TIMEOUT)
    try:
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _own_directory() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    place = Path(runtime) / "ble-interface"
    room = MAX_PATH - MAX_NAME - len("/--1234567-1234567.sock")
    if os.path.isabs(runtime) and os.access(runtime, os.W_OK) and len(str(place)) <= room:
        return place
    return Path(f"/tmp/ble-interface-{os.geteuid()}")


def _directories() -> list[Path]:
    """Where nodes may be: a service has not the XDG_RUNTIME_DIR of its user's session."""
    user = os.geteuid()
    places = {_own_directory(), Path(f"/run/user/{user}/ble-interface"), Path(f"/tmp/ble-interface-{user}")}
    if user == 0:
        places.update(Path("/run/user").glob("*/ble-interface"), Path("/tmp").glob("ble-interface-*"))
    return sorted(places)


def _make_private(directory: Path) -> None:
    """Make the directory; refuse one that somebody else may have prepared for us. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    state = directory.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o077:
        raise PermissionError(f"{directory} must be a directory of this user with mode 0700: remove it")
