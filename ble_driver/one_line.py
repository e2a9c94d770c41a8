"""Command lines that say what is wrong with them in one line, so that whoever started the program can show it."""

from __future__ import annotations

import argparse
import os
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """An argument parser without the usage in its errors."""

    def error(self, message: str) -> NoReturn:
        self.fail(message)

    def fail(self, message: object) -> NoReturn:
        """Say what is wrong and end the program, with exit code 2."""
        self.exit(2, f"{self.prog}: {message}\n")

    def fail_to_listen(self, host: str, port: int, error: OSError) -> NoReturn:
        """Say why nobody can be served there; see `fail`."""
        # Not the error's own words, which asyncio makes long; but a name that is not found has a number below 0.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        self.fail(f"cannot listen on {host}:{port}: {reason}")


def port(text: str) -> int:
    """Return a TCP port for `ArgumentParser.add_argument`; 0 lets the system choose. Raises ValueError."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError(text)
    return number
