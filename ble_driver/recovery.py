"""What to do about a radio that fell silent or does not answer: mildest first, each step counted.

Silence of the scanner is no fault by itself: in most places nobody else is around. But a scan may also have died
without a word (controllers do lose the command), and nobody can tell the one from the other by listening. So silence
has one consequence only, which is harmless and cheap: the scan is started anew. What is told apart instead is whether
the radio *answers*. It is asked from time to time, and every command it is given has its time; a command without an
answer is a fault in any place, full or empty, if the radio does not answer when it is merely asked either, or the
command fails so twice in a row. Only that leads further:

1. open the radio anew, which also takes back whatever it was doing;
2. if that does not help, power-cycle the adapter (which others may use as well, so not at once);
3. if that does not help either, tell a person what to do, and go on opening it.

A refusal is an answer: a daemon that does not run or an adapter that was switched off is reported and awaited by the
driver, and never leads to a reset.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum
from typing import TypedDict

from .watchdog import Watchdog

#: Seconds of silence after which the scan is started anew: the 60 s of `Watchdog`. BlueZ reports an unchanged device
#: once in 10 s, and most nodes advertise several times a second.
SCAN_SILENCE = 60.0
#: Seconds between two looks at the radio.
LOOK_INTERVAL = 20.0
#: Seconds without trouble after which the next trouble is a new one, and the ladder begins at its first rung. More than
#: it takes to open the radio, give it a command twice, and find that it does not answer.
CALM = 180.0


class Step(Enum):
    """What may be done, mildest first."""

    RESTART_SCAN = "scan_restarts"
    RESTART_DRIVER = "driver_restarts"
    POWER_CYCLE = "power_cycles"
    REPORT = "reports"


class RecoveryStatus(TypedDict):
    """How often what was done, since the driver was made.

    Attributes:
        scan_restarts: the scan was started anew, because it had heard nothing for a minute.
        driver_restarts: the radio did not answer, and was closed and opened anew.
        power_cycles: the adapter was to be switched off and on, or reset.
        reports: all that did not help, and a person was told.
        deadlocks: exclusive control had stood still, and the adapter was taken from those who had it.
        stalls: a callback kept the dispatcher from looking after the radio.
    """

    scan_restarts: int
    driver_restarts: int
    power_cycles: int
    reports: int
    deadlocks: int
    stalls: int


class Recovery:
    """Decides; the driver acts. It belongs to the dispatcher.

    Args:
        clock: the dispatcher's time in seconds.

    Attributes:
        scan_is_stale: the scan has heard nothing for long, and should be started anew.
        deadlocks: see `RecoveryStatus`; the driver counts them here.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # The dispatcher looks at it, so no thread is needed: a silent scan is looked for where it would be heard.
        # Where nobody else is around it starves every minute, which is not worth a warning.
        self._scan = Watchdog(
            SCAN_SILENCE, LOOK_INTERVAL, self._scan_starved, clock=clock, name="the scanner", log_level=logging.DEBUG
        )
        self._rung = 0
        self._last_trouble = 0.0
        self._counts = dict.fromkeys(Step, 0)
        self.scan_is_stale = False
        self.deadlocks = 0

    def heard(self) -> None:
        """The scanner has heard somebody, or begins to listen."""
        self._scan.feed()
        self.scan_is_stale = False

    def look(self) -> None:
        """Notice how long the scanner has been silent; to be called while it scans."""
        self._scan.check()

    def _scan_starved(self) -> None:
        self.scan_is_stale = True

    def scan_restarted(self) -> None:
        """The scan was started anew; the count of its silence begins anew as well."""
        self._counts[Step.RESTART_SCAN] += 1
        self.heard()

    def next_step(self) -> Step:
        """The radio did not answer: return what to do now."""
        now = self._clock()
        if now - self._last_trouble > CALM:
            self._rung = 0
        self._last_trouble = now
        ladder = (Step.RESTART_DRIVER, Step.POWER_CYCLE, Step.REPORT)
        step = ladder[min(self._rung, len(ladder) - 1)]
        self._rung += 1
        self._counts[step] += 1
        return step

    def get_status(self, stalls: int) -> RecoveryStatus:
        """Return what was done so far; from any thread."""
        return {
            "scan_restarts": self._counts[Step.RESTART_SCAN],
            "driver_restarts": self._counts[Step.RESTART_DRIVER],
            "power_cycles": self._counts[Step.POWER_CYCLE],
            "reports": self._counts[Step.REPORT],
            "deadlocks": self.deadlocks,
            "stalls": stalls,
        }
