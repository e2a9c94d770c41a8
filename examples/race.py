"""Rapid repeated discovery of one peer: connect is called on every advertisement and from 8 threads at once.

    python examples/race.py [ADDRESS] [--rounds 3] [--attempts 3] [--json]

On two Raspberry Pis: on the one

    python examples/connect.py --listen --name bob

and on the other this. First it storms the driver itself: in each round the callback of every advertisement and 8
threads call `driver.connect` as fast as they can, until there is a link and a moment beyond. Then it does what
`BLEInterface` does: the same 8 threads repeat the discovery as fast as they can, `DialPolicy` decides whether to dial,
and each link is ended as soon as it is up, so that the next attempt is wanted at once.

    2.31  round 1: 61,000 calls of connect, 1 link, at most 1 attempt at a time
    …
   18.90  8,000 discoveries went through the dial policy: 3 attempts, 5.3 and 5.9 s apart
   18.91  holds: one attempt at a time
   18.91  holds: no call was refused because an operation is in progress
   18.91  holds: nothing is left of the attempts
   18.91  holds: attempts are 5 s apart with the dial policy

If this host is the one with the higher public address, the policy waits 10 s more before each attempt. Another adapter:
`--adapter hci1`. Without any hardware: `python -m drivers.bumble_driver.radio`, and `--driver bumble` on both.

Exit code: 0 if all four hold; 1 if not, naming those that do not; 2 if the command line makes no sense; 130 or 143 if
it was interrupted.
"""

from __future__ import annotations

import os
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar

from _common.checks import Checks
from _common.command_line import Parser, count, run, seconds

from ble_cli.programs.command import Command
from ble_cli.programs.happenings import Connected, Disconnected, Discovered, Failed, Happening, forward
from ble_cli.programs.inbox import Inbox
from ble_cli.programs.outcome import Outcome, failure
from ble_cli.programs.program import Program
from ble_cli.programs.reporter import Reporter
from ble_driver import BLEDevice, BLEDriverError, BLEDriverInterface, normalise_address
from ble_interface.dialing import DIAL_INTERVAL, DialPolicy

THREADS = 8
#: Seconds for which the storm goes on once there is a link.
BEYOND = 0.5
#: Seconds between two calls of one thread to the policy: the dispatcher, where it lives, must have time for the radio.
POLICY_PAUSE = 0.001
#: What stacks say of an operation that was begun twice.
IN_PROGRESS = re.compile(r"in.?progress|already", re.IGNORECASE)

ONE_AT_A_TIME = "one attempt at a time"
NOT_REFUSED = "no call was refused because an operation is in progress"
NOTHING_LEFT = "nothing is left of the attempts"
APART = f"attempts are {DIAL_INTERVAL:g} s apart with the dial policy"


H = TypeVar("H", bound=Happening)


class MissedError(Exception):
    """Something that had to happen for the race did not."""


class RaceChecks(Checks):
    def __init__(self) -> None:
        super().__init__(ONE_AT_A_TIME, NOT_REFUSED, NOTHING_LEFT, APART)

    def error(self, error: object) -> None:
        """Look at an error that somebody met."""
        self.require(NOT_REFUSED, IN_PROGRESS.search(str(error)) is None, str(error))


class Race(Program):
    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        address = self.options.address
        self._target = normalise_address(address) if address is not None else None
        self._device: BLEDevice | None = None
        self._checks = RaceChecks()
        self._deadline = 0.0
        self._gaps: list[float] = []
        self._discoveries = 0
        self._on_advertisement: Callable[[BLEDevice], object] = lambda _: None

    def play(self) -> Outcome:
        forward(self.driver, self._take)
        self.driver.set_identity(os.urandom(16))
        self.start_driver()
        self.driver.start_scanning()
        self.report_started(f"looking for {self._target or 'any node'}")
        self._deadline = time.monotonic() + self.options.timeout
        try:
            device = self._await(Discovered, "the node was not heard").device
            self.reporter.report(
                "discovered", f"{device.address} is heard", address=device.address, name=device.name, rssi=device.rssi
            )
            for number in range(1, self.options.rounds + 1):
                self._storm(number, device.address)
            self._with_policy(device.address)
        except MissedError as error:
            return failure(f"{error} within {self.options.timeout:g} s{self.radio_trouble}")
        return self._verdict()

    def _take(self, happening: Happening) -> None:
        """On the dispatcher, for each thing that the driver tells."""
        if isinstance(happening, Discovered):
            device = happening.device
            if self._target is None:
                self._target = device.address
            if device.address != self._target:
                return
            first, self._device = self._device is None, device
            self._on_advertisement(device)
            if not first:
                return
        self.inbox.put(happening)

    def _await(self, kind: type[H], otherwise: str) -> H:
        while (happening := self.inbox.get(self._deadline)) is not None:
            if isinstance(happening, Failed):
                self._tell_failed(happening)
            if isinstance(happening, kind):
                return happening
        raise MissedError(otherwise)

    # --- the driver alone ---------------------------------------------------------------------------------------------

    def _storm(self, number: int, address: str) -> None:
        calls = [0] * THREADS
        most = [0] * THREADS
        advertised = 0

        def connect() -> None:
            try:
                self.driver.connect(address)
            except BLEDriverError as error:
                self._checks.error(error)

        def on_advertisement(_: BLEDevice) -> None:
            nonlocal advertised
            advertised += 1
            connect()

        def storm(index: int) -> None:
            connect()
            calls[index] += 1
            most[index] = max(most[index], len(self.driver.connecting_peers))

        began = time.monotonic()
        self.reporter.report("connecting", None, address=address, round=number)
        self._on_advertisement = on_advertisement
        with _threads(storm, pause=0.0):
            link = self._await(Connected, f"round {number}: there was no link")
            links = 1 + self._count_more(time.monotonic() + BEYOND)
        self._on_advertisement = lambda _: None
        took = link.at - began
        text = (
            f"round {number}: {sum(calls):,} calls of connect and {advertised} more on advertisements, linked in "
            f"{took:.2f} s, {links} link{'' if links == 1 else 's'}, at most {max(most)} attempt at a time"
        )
        details = {"address": address, "mtu": link.mtu, "seconds": round(took, 3), "calls": sum(calls)}
        self.reporter.report("connected", text, round=number, most_attempts=max(most), links=links, **details)
        self._checks.require(ONE_AT_A_TIME, max(most) <= 1, f"round {number}: {max(most)} attempts at once")
        self._checks.require(ONE_AT_A_TIME, links == 1, f"round {number}: {links} links were reported")
        self._part(address, number)

    def _count_more(self, until: float) -> int:
        """Return how many links more are reported: there is one already, so each is one too many."""
        more = 0
        while (happening := self.inbox.get(until)) is not None:
            if isinstance(happening, Failed):
                self._checks.require(ONE_AT_A_TIME, False, f"an attempt beside the link failed: {happening.error}")
                self._tell_failed(happening)
            more += isinstance(happening, Connected)
        return more

    def _part(self, address: str, number: int) -> None:
        self.driver.disconnect(address)
        self._await(Disconnected, f"round {number}: the link did not end")
        self.reporter.report("disconnected", None, address=address, round=number)
        left = self.driver.connecting_peers
        self._checks.require(NOTHING_LEFT, not left, f"round {number}: an attempt at {', '.join(left)} is left")

    # --- with the policy of BLEInterface ------------------------------------------------------------------------------

    def _with_policy(self, address: str) -> None:
        policy = DialPolicy(random.Random())
        attempts: list[float] = []
        discoveries = 0
        dispatcher = self.driver.dispatcher

        def consider(device: BLEDevice) -> None:
            """What `BLEInterface` does with an advertisement; on the dispatcher."""
            nonlocal discoveries
            discoveries += 1
            if address in self.driver.connected_peers or len(attempts) == self.options.attempts:
                return
            now = dispatcher.time()
            if policy.delay(device, self.driver.local_address, self.driver.local_address_type, now) > 0.0:
                return
            if address in self.driver.connecting_peers:
                return
            policy.dialled(address, now)
            attempts.append(now)
            self.reporter.report("connecting", None, address=address, attempt=len(attempts))
            self.driver.connect(address)

        def repeat(_index: int) -> None:
            done = threading.Event()
            if self._device is not None:
                dispatcher.call_soon(consider, self._device)
                dispatcher.call_soon(done.set)  # not the next before this one: eight wait at a time, and no more
                done.wait(1.0)

        self._on_advertisement = consider
        ended = 0
        with _threads(repeat, pause=POLICY_PAUSE):
            while ended < self.options.attempts:
                happening = self.inbox.get(self._deadline)
                if happening is None:
                    raise MissedError(f"with the policy there were {ended} attempts, not {self.options.attempts}")
                if isinstance(happening, Connected):
                    self.reporter.report("connected", None, address=address, mtu=happening.mtu, attempt=len(attempts))
                    dispatcher.call_soon(policy.linked, address, happening.identity, dispatcher.time())
                    self.driver.disconnect(address)
                elif isinstance(happening, Disconnected | Failed):
                    ended += 1
                    if isinstance(happening, Disconnected):
                        self.reporter.report("disconnected", None, address=address, attempt=len(attempts))
                    if isinstance(happening, Failed):
                        self._tell_failed(happening)
        self._on_advertisement = lambda _: None
        gaps = [later - earlier for earlier, later in pairwise(attempts)]
        spaced = " and ".join(f"{gap:.1f}" for gap in gaps)
        text = f"{discoveries:,} discoveries went through the dial policy: {len(attempts)} attempts, {spaced} s apart"
        self.reporter.say(text)
        self._gaps = [round(gap, 3) for gap in gaps]
        self._discoveries = discoveries
        self._checks.require(APART, len(gaps) > 0 and min(gaps) >= DIAL_INTERVAL, f"they were {spaced} s apart")
        left = self.driver.connecting_peers
        self._checks.require(NOTHING_LEFT, not left, f"an attempt at {', '.join(left)} is left")

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell_failed(self, failed: Failed) -> None:
        self._checks.error(failed.error)
        details = {"reason": str(failed.error), "kind": type(failed.error).__name__}
        self.reporter.report("failed", f"an attempt failed: {failed.error}", address=failed.address, **details)

    def _verdict(self) -> Outcome:
        if self.radio_error is not None:
            self._checks.error(self.radio_error)
        return self._checks.verdict(self.reporter, "all of it holds", gaps=self._gaps, discoveries=self._discoveries)


@contextmanager
def _threads(call: Callable[[int], None], pause: float) -> Iterator[None]:
    """Let several threads make a call again and again, until the end of the context."""
    over = threading.Event()

    def main(index: int) -> None:
        while not over.is_set():
            call(index)
            time.sleep(pause)  # even of 0 s it lets others run

    threads = [threading.Thread(target=main, args=(index,), daemon=True) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _at_least_two(text: str) -> int:
    if (number := count(text)) < 2:
        raise ValueError(text)
    return number


_at_least_two.__name__ = "number, 2 or more"


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("address", nargs="?", help="the peer (default: the first node heard)")
    parser.add_argument("--rounds", type=count, default=3, help="how often to storm the driver (default: 3)")
    parser.add_argument("--attempts", type=_at_least_two, default=3, help="attempts with the dial policy (default: 3)")
    parser.add_argument("--timeout", type=seconds, default=180.0, help="seconds for all of it (default: 180)")
    return run(parser, Race)


if __name__ == "__main__":
    sys.exit(main())
