"""Child processes that cannot outlive the runner."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

#: The kernel kills what this starts when the thread that started it ends. It does so before anything else runs, unlike
#: a `preexec_fn`, which is not safe in a process with threads.
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


async def start(
    argv: Sequence[str],
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    stderr: int = asyncio.subprocess.STDOUT,
    pass_fds: Sequence[int] = (),
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> asyncio.subprocess.Process:
    """Start a process whose output can be read; it is killed when this one dies, however that happens.

    To be called from the main thread: the kernel watches the thread that forked, not the process.
    """
    return await asyncio.create_subprocess_exec(
        *_DIE_WITH_PARENT,
        *argv,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        pass_fds=pass_fds,
        cwd=cwd,
        env=env,
        start_new_session=True,  # Ctrl-C is the runner's to handle
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    """End a process at once and reap it."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
