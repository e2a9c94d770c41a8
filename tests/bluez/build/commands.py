"""Running the tools that build things."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
from collections.abc import Mapping

logger = logging.getLogger(__name__)

#: Seconds that one tool may take; the longest is debootstrap over a slow mirror.
TIMEOUT = 900.0
#: Lines of a failed tool's output that are shown.
SHOWN_LINES = 15


class BuildError(Exception):
    """Something that the rig needs cannot be had; the message says what to do."""


def run(*argv: str | os.PathLike[str], env: Mapping[str, str] | None = None) -> str:
    """Run a tool and return its standard output.

    Raises:
        BuildError: it failed, is missing or took too long.
    """
    words = [os.fspath(word) for word in argv]
    line = shlex.join(words)
    logger.debug("running %s", line)
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            check=False,
        )
    except FileNotFoundError as error:
        raise BuildError(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"no end after {TIMEOUT:g} s: {line}") from error
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-SHOWN_LINES:])
        raise BuildError(f"exit code {done.returncode}: {line}\n{tail}")
    return done.stdout
