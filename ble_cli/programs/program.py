"""The life of a program with a radio: play, free the radio whatever happened, say how it ended."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from abc import ABC, abstractmethod

from ble_driver import BLEDriverError, BLEDriverInterface
from ble_interface import IDENTITY_CHAR_UUID, RX_CHAR_UUID, SERVICE_UUID, TX_CHAR_UUID, BLEInterfaceError

from .command import Command
from .inbox import Inbox, Interrupted
from .outcome import Outcome, failure, interruption
from .reporter import Reporter

#: Seconds from the end of the play, or Ctrl-C, until the process is gone, whatever the radio does.
CLOSE_TIME = 4.5
OUR_LOGGERS = ("ble_driver", "ble_interface", "drivers")


class Program(ABC):
    """One program. Its constructor refuses what makes no sense, before the radio is touched.

    Attributes:
        options: what the command line says.
        driver: the radio; not started yet.
        reporter: tells the user.
        inbox: tells the program; its signals end it.
        radio_error: the last trouble that the radio told, None if there was none.
    """

    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        self.options: argparse.Namespace = command.options
        self.driver = driver
        self.reporter = reporter
        self.inbox = inbox
        self.radio_error: str | None = None
        self._command = command
        driver.on_error = self._on_error

    def _on_error(self, error: BLEDriverError) -> None:
        self.radio_error = str(error)
        self.reporter.report(
            "error", f"the radio has a problem: {error}", message=str(error), kind=type(error).__name__
        )

    @property
    def radio_trouble(self) -> str:
        """What to add to the reason of a failure: the last trouble of the radio, which may be behind it, or nothing."""
        return f"; the radio says: {self.radio_error}" if self.radio_error is not None else ""

    def report_started(self, text: str, **details: object) -> None:
        driver = self._command.driver
        # The air of a mock driver is an object that says nothing to people or programs.
        options = {key: value for key, value in self._command.driver_options.items() if key != "air"}
        self.reporter.report("started", f"{text} (driver {driver})", driver=driver, driver_options=options, **details)

    def start_driver(self) -> None:
        """Start the radio with the GATT service of the protocol."""
        self.driver.start(SERVICE_UUID, RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID)

    @abstractmethod
    def play(self) -> Outcome:
        """Do what the program is for. `Interrupted` may pass through it."""

    def close(self) -> None:
        """Free the radio."""
        self.driver.stop()


def run(command: Command, program_type: type[Program]) -> int:
    """Run a program; the result is the exit code of the process.

    Raises:
        UsageError, BLEDriverError, BLEInterfaceError: what was asked for makes no sense; nothing was begun.
    """
    inbox = Inbox()
    inbox.catch_signals()
    set_up_log(verbose=command.options.verbose)
    reporter = Reporter(
        sys.stdout, as_json=command.options.json, on_reader_gone=lambda: inbox.interrupt(signal.SIGTERM)
    )
    program = program_type(command, command.create_driver(), reporter, inbox)
    outcome = play(program)
    guard = end_within(CLOSE_TIME, reporter)
    program.close()
    guard.cancel()
    return finish(reporter, outcome)


def play(program: Program) -> Outcome:
    """Let a program do what it is for, until it is done, interrupted, or in trouble."""
    try:
        return program.play()
    except Interrupted as error:
        return interruption(error)
    except (BLEDriverError, BLEInterfaceError) as error:
        return failure(str(error))


def finish(reporter: Reporter, outcome: Outcome) -> int:
    """Say how it ended; return the exit code."""
    verdict = "OK" if outcome.ok else "FAILED"
    reporter.report("done", f"{verdict}: {outcome.reason}", ok=outcome.ok, reason=outcome.reason, **outcome.details)
    return outcome.exit_code


def set_up_log(*, verbose: bool) -> None:
    """Log to standard error. Trouble with the radio comes as reports already, so warnings are shown only if asked for;
    of the libraries below, errors as well."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.CRITICAL,
        format="%(relativeCreated)8d ms  %(levelname)-7s %(name)s: %(message)s",
    )
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.ERROR)


def end_within(seconds: float, reporter: Reporter) -> threading.Timer:
    """From now on the process lives that long at most, whatever the radio does."""

    def give_up() -> None:
        exit_code = finish(reporter, failure(f"the radio was not freed within {seconds:g} s"))
        os._exit(exit_code)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    return timer
