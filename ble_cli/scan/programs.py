"""The scan, and somebody who is found by it."""

from __future__ import annotations

import math
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ble_driver import BLEDriverInterface, DriverState
from ble_interface.status_socket import StatusSocketError, running_nodes

from ..programs.command import Command
from ..programs.fields import printable
from ..programs.happenings import Discovered, forward
from ..programs.inbox import Inbox, Interrupted
from ..programs.outcome import Outcome, failure, success
from ..programs.program import Program
from ..programs.reporter import Reporter
from ..watch.words import duration
from .sighting import Sighting

#: Devices that are remembered: whoever makes up addresses must not fill our memory.
MAX_DEVICES = 1000
#: Seconds between two pictures, and between two looks at who the nodes of this host have met.
REDRAW, LOOK = 0.5, 5.0
#: dBm from barely heard to beside the antenna, and characters of the bar.
WEAK, STRONG, BAR = -100, -40, 12


class Scan(Program):
    """Shows who is heard until the time is over or it is interrupted."""

    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        self._console = Console(highlight=False)
        self._sightings: dict[str, Sighting] = {}
        self._identities: dict[str, str] = {}
        self._next_look = 0.0

    def play(self) -> Outcome:
        span = self.options.seconds
        self.listen()
        self.report_started(f"scanning {'until Ctrl-C' if span is None else f'for {span:g} s'}", seconds=span)
        deadline = math.inf if span is None else time.monotonic() + span
        try:
            if self._console.is_terminal and self.reporter.for_people:
                self._draw(deadline)
            else:
                while (happening := self.inbox.get(deadline)) is not None:
                    self._take(happening)
        except Interrupted:
            pass  # the way to end it
        return self._outcome()

    def listen(self) -> None:
        """Begin to scan."""
        forward(self.driver, self.inbox.put)
        self.start_driver()
        self.driver.start_scanning()

    def is_listening(self) -> bool:
        """Whether the radio scans."""
        return DriverState.SCANNING in self.driver.state

    def _take(self, happening: object) -> None:
        if not isinstance(happening, Discovered):
            return
        device, now = happening.device, happening.at
        if device.address not in self._sightings and len(self._sightings) >= MAX_DEVICES:
            oldest = min(self._sightings, key=lambda address: self._sightings[address].last)
            del self._sightings[oldest]
        sighting = self._sightings.setdefault(device.address, Sighting(device, now))
        notable = sighting.heard(device, now)
        if notable is not None and not (self._console.is_terminal and self.reporter.for_people):
            details = self._details(sighting, now)
            who = f"  {details['identity'][:8]}" if details["identity"] else ""
            self.reporter.report("discovered", f"{notable:<6} {sighting}{who}", change=notable, **details)

    def _details(self, sighting: Sighting, now: float) -> dict[str, Any]:
        """What a program wants to know of a node, its identity in hex if it is known."""
        return {**sighting.details(now), "identity": self._known(now).get(sighting.device.address)}

    def _known(self, now: float) -> dict[str, str]:
        """Return whom the nodes of this host have met, by address."""
        if now >= self._next_look:
            self._identities, self._next_look = _known_identities(), now + LOOK
        return self._identities

    # --- on a terminal ------------------------------------------------------------------------------------------------

    def _draw(self, deadline: float) -> None:
        with Live(console=self._console, auto_refresh=False) as live:
            while (now := time.monotonic()) < deadline:
                redraw = min(deadline, now + REDRAW)
                while (happening := self.inbox.get(redraw)) is not None:
                    self._take(happening)
                live.update(table(self._sightings, self._known(now), time.monotonic()), refresh=True)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _outcome(self) -> Outcome:
        if self.radio_error is not None and not self._sightings and not self.is_listening():
            return failure(f"the radio did not scan: {self.radio_error}", nodes=[])
        now = time.monotonic()
        nodes = [self._details(sighting, now) for sighting in self._sightings.values()]
        return success(f"{len(nodes)} heard", nodes=nodes)


def table(sightings: dict[str, Sighting], identities: dict[str, str], now: float) -> Table:
    """Return the picture of a moment, in 80 columns: the strongest first."""
    picture = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("address", "name", "dBm", "signal", "identity", "seen", "times"):
        right = name in ("dBm", "seen", "times")
        picture.add_column(name, justify="right" if right else "left", no_wrap=True, header_style="dim")
    for sighting in sorted(sightings.values(), key=lambda each: -(each.rssi or -999)):
        age = now - sighting.last
        picture.add_row(
            sighting.device.address,
            printable(sighting.name or "-", 12),
            f"{sighting.rssi:.0f}" if sighting.rssi is not None else "?",
            bar(sighting.rssi),
            identities.get(sighting.device.address, "")[:8],
            "now" if age < 2 else f"{duration(age)} ago",
            str(sighting.advertisements),
            style="dim" if age > 10 else "",
        )
    return picture


def bar(rssi: float | None) -> str:
    """Return a signal as a bar."""
    if rssi is None:
        return ""
    length = round((rssi - WEAK) / (STRONG - WEAK) * BAR)
    return "█" * min(BAR, max(1, length))


def _known_identities() -> dict[str, str]:
    known = {}
    for node in running_nodes():
        try:
            known.update({peer["address"]: peer["identity"] for peer in node.read()["peers"]})
        except StatusSocketError:
            continue  # it is just ending
    return known


class Advertise(Program):
    """Is found: whom a scan on the mock driver hears."""

    def play(self) -> Outcome:
        self.driver.set_identity(bytes(range(16)))
        self.start_driver()
        self.driver.start_advertising("echo")
        while self.inbox.get(math.inf) is not None:
            pass  # until it is interrupted
        return success("ended")
