"""How a command starts its program; with the mock driver, also somebody for it to meet.

`MockBLEDriver` reaches nobody outside its process, so with `--driver mock` there is a partner on the same air: enough
to see how a command works, without any radio.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace

from .command import Command
from .inbox import Inbox
from .program import Program, play, run
from .reporter import Reporter


def launch(
    command: Command, program_type: type[Program], partner_type: type[Program], **partner_options: object
) -> int:
    """Run the program of a command; return the exit code.

    Args:
        command: what the user asked for.
        program_type: the program.
        partner_type: what the mock driver meets.
        partner_options: the options of that.

    Raises:
        UsageError, BLEDriverError, BLEInterfaceError: what was asked for makes no sense.
    """
    if command.driver != "mock":
        return run(command, program_type)
    from drivers.mock_ble_driver import VirtualAir

    command = replace(command, driver_options={**command.driver_options, "air": VirtualAir()})
    options = argparse.Namespace(**{**vars(command.options), "name": "echo", **partner_options})
    with _partner(replace(command, options=options), partner_type):
        return run(command, program_type)


@contextlib.contextmanager
def _partner(command: Command, program_type: type[Program]) -> Iterator[None]:
    inbox = Inbox()
    command = replace(command, driver_options={"air": command.driver_options["air"]})  # an address is only the other's
    program = program_type(command, command.create_driver(), Reporter(io.StringIO(), as_json=True), inbox)

    def live() -> None:
        play(program)
        program.close()

    thread = threading.Thread(target=live, name="partner", daemon=True)
    thread.start()
    try:
        yield
    finally:
        inbox.interrupt(signal.SIGTERM)
        thread.join()
