"""Shows which nodes are in range, and how well each is heard.

    python examples/scan.py [--seconds 30] [--json]

On two Raspberry Pis: run this on the one, and on the other whatever advertises, such as

    python examples/connect.py --listen --name bob

You see one line when a node is first heard, and another when something about it changes notably: its name, its signal
by 10 dB or more, or when it comes back after 10 s of silence.

    0.00  scanning until Ctrl-C (driver bleak)
    0.31  found B8:27:EB:12:34:56  bob       -61 dBm  public

At the end, a line per node says how often it was heard, when first and when last. Another adapter: `--adapter hci1`.
Without any hardware: start `python -m drivers.bumble_driver.radio`, and add `--driver bumble` to each of the two.

Exit code: 0, also after Ctrl-C or SIGTERM and when no node was heard; 1 if the radio did not scan at all; 2 if the
command line makes no sense.
"""

from __future__ import annotations

import math
import sys
import time

from _common.command_line import Parser, run, seconds

from ble_cli.programs.command import Command
from ble_cli.programs.happenings import Discovered, forward
from ble_cli.programs.inbox import Inbox, Interrupted
from ble_cli.programs.outcome import Outcome, failure, success
from ble_cli.programs.program import Program
from ble_cli.programs.reporter import Reporter
from ble_cli.scan.sighting import Sighting
from ble_driver import BLEDevice, BLEDriverInterface, DriverState


class Scan(Program):
    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        self._sightings: dict[str, Sighting] = {}

    def play(self) -> Outcome:
        span = self.options.seconds
        forward(self.driver, self.inbox.put)
        self.start_driver()
        self.driver.start_scanning()
        self.report_started(f"scanning {'until Ctrl-C' if span is None else f'for {span:g} s'}", seconds=span)
        deadline = math.inf if span is None else time.monotonic() + span
        try:
            while (happening := self.inbox.get(deadline)) is not None:
                if isinstance(happening, Discovered):
                    self._heard(happening.device, happening.at)
        except Interrupted:
            pass  # the way to end it
        return self._outcome()

    def _heard(self, device: BLEDevice, now: float) -> None:
        sighting = self._sightings.setdefault(device.address, Sighting(device, now))
        silence = now - sighting.last
        notable = sighting.heard(device, now)
        if notable is not None:
            age = "" if notable == "found" else f"  first heard {now - sighting.first:.0f} s ago"
            details = {**sighting.details(now), "last_heard": round(silence, 3)}
            self.reporter.report("discovered", f"{notable:<6} {sighting}{age}", change=notable, **details)

    def _outcome(self) -> Outcome:
        if self.radio_error is not None and not self._sightings and DriverState.SCANNING not in self.driver.state:
            return failure(f"the radio did not scan: {self.radio_error}", nodes=[])
        now = time.monotonic()
        for sighting in self._sightings.values():
            ages = f"heard {sighting.advertisements} times, first {now - sighting.first:.1f} s ago"
            text = f"in all {sighting}  {ages}, last {now - sighting.last:.1f} s ago"
            self.reporter.say(text)  # programs read it in `done`
        nodes = [sighting.details(now) for sighting in self._sightings.values()]
        return success(f"{len(nodes)} node{'' if len(nodes) == 1 else 's'} heard", nodes=nodes)


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("--seconds", type=seconds, help="how long to scan (default: until Ctrl-C)")
    return run(parser, Scan)


if __name__ == "__main__":
    sys.exit(main())
