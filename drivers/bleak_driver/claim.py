"""One program of ours for each adapter of a host.

bluetoothd serves many programs at once, but two nodes on one adapter would take each other's links for their own and
end them, and neither could tell why. So each driver claims its adapter before it touches it, and the second is told who
has it.

The claim is a socket in Linux's abstract namespace: no file and no right is needed, a process that was killed leaves
none behind, and whoever connects learns from the kernel which process listens (SO_PEERCRED, unix(7)). It is seen within
one network namespace; programs in containers with networks of their own do not see each other's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from pathlib import Path

from ble_driver import RadioError

#: Process, user and group, each an int (struct ucred, unix(7)).
_CREDENTIALS = struct.Struct("3i")
#: Who may ask at once who has the adapter.
BACKLOG = 8
#: Characters of a command line that are shown.
MAX_COMMAND = 80


class AdapterClaim:
    """The right of one driver to use an adapter.

    Args:
        adapter: the adapter's name, such as ``hci0``.
    """

    def __init__(self, adapter: str) -> None:
        self._adapter = adapter
        self._listener: socket.socket | None = None

    def take(self) -> None:
        """Have the adapter, harmless if it is ours already; on the loop on which it is dropped.

        Raises:
            RadioError: another program has it; the message says which.
        """
        if self._listener is not None:
            return
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.setblocking(False)
            listener.bind(_address_of(self._adapter))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise RadioError(f"the adapter {self._adapter} cannot be claimed: {error}") from error
            holder = holder_of(self._adapter) or "another program"
            raise RadioError(
                f"the adapter {self._adapter} is held by {holder}; it is awaited: end that program, "
                "or use another adapter"
            ) from error
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._answer, listener)

    def drop(self) -> None:
        """Leave the adapter to others; harmless if it is not ours."""
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()

    @staticmethod
    def _answer(listener: socket.socket) -> None:
        """Make room for the next who asks: the kernel has told this one all there is."""
        with contextlib.suppress(OSError):  # it has gone
            listener.accept()[0].close()


def holder_of(adapter: str) -> str | None:
    """Return what a person knows the program by that has claimed an adapter; None if none is seen to have it."""
    try:
        with socket.socket(socket.AF_UNIX) as question:
            question.setblocking(False)
            question.connect(_address_of(adapter))
            credentials = question.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return None  # nobody, or it has just ended, or is asked by too many
    return process_name(_CREDENTIALS.unpack(credentials)[0])


def _address_of(adapter: str) -> str:
    return f"\0ble-interface/{adapter}"


def process_name(pid: int, proc: Path = Path("/proc")) -> str:
    """Return what a person knows a process by: its number and command line, program and script without directories."""
    if pid <= 0:
        return "a program in another container"
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        words = []
    words[:2] = [word.rpartition("/")[2] for word in words[:2]]
    command = "".join(sign if sign.isprintable() else "?" for sign in " ".join(words).strip())
    if len(command) > MAX_COMMAND:
        command = f"{command[:MAX_COMMAND]}…"
    return f"process {pid} ({command})" if command else f"process {pid}"
