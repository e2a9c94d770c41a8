"""Links to one node, at driver level, and says how that went.

    python examples/connect.py [ADDRESS] [--seconds 20] [--json]

On two Raspberry Pis: on the one

    python examples/connect.py --listen --name bob

which advertises and takes links (any node of the protocol will do as well), and on the other this without --listen.
Without an address it takes the first node that it hears. You see, on the one that dials,

    0.42  B8:27:EB:12:34:56 is heard (bob, -61 dBm)
    0.42  connecting to B8:27:EB:12:34:56
    1.87  linked to B8:27:EB:12:34:56 in 1.45 s: we are central, ATT MTU 517, identity 8c29…
   20.42  the link to B8:27:EB:12:34:56 is gone after 20.0 s, as we wished
   20.61  OK: linked in 1.45 s, held for 20.0 s

and the same from the other side on the other. It holds the link for `--seconds`, until Ctrl-C without. Another
adapter: `--adapter hci1`. Without any hardware: `python -m drivers.bumble_driver.radio`, and `--driver bumble`.

Exit code: 0 if the link came and lasted as long as wished; 1 if not, with the reason; 2 if the command line makes no
sense; 130 or 143 if it was interrupted before there was a link. With --listen, 0 if anybody linked at all.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time

from _common.command_line import Parser, run, seconds

from ble_cli.programs.command import Command, UsageError
from ble_cli.programs.happenings import Connected, Disconnected, Discovered, Failed, Frame, forward
from ble_cli.programs.inbox import Inbox, Interrupted
from ble_cli.programs.outcome import Outcome, failure, success
from ble_cli.programs.program import Program
from ble_cli.programs.reporter import Reporter
from ble_driver import (
    BLEDriverInterface,
    DriverStateError,
    NotConnectedError,
    SendQueueFull,
    normalise_address,
)
from ble_driver.checks import IDENTITY_LENGTH, check_device_name
from ble_interface.gatt import KEEPALIVE, KEEPALIVE_INTERVAL

#: Seconds that the radio may take to part from the peer.
PARTING_TIME = 3.0


class Connect(Program):
    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        options = self.options
        self._wanted = normalise_address(options.address) if options.address is not None else None
        check_device_name(options.name)
        if options.listen and options.address is not None:
            raise UsageError("--listen waits for whoever comes, so it takes no address")
        if options.name is not None and not options.listen:
            raise UsageError("--name is advertised, which needs --listen")
        self._identity = os.urandom(IDENTITY_LENGTH)
        self._up: dict[str, Connected] = {}

    def play(self) -> Outcome:
        forward(self.driver, self.inbox.put)
        self.driver.set_identity(self._identity)
        self.start_driver()
        return self._listen() if self.options.listen else self._dial_and_hold()

    # --- central ------------------------------------------------------------------------------------------------------

    def _dial_and_hold(self) -> Outcome:
        self.driver.start_scanning()
        self.report_started(f"looking for {self._wanted or 'any node'}", identity=self._identity.hex())
        address = self._await_advertisement()
        if address is None:
            return failure(f"{self._wanted or 'no node'} was {'not ' if self._wanted else ''}heard{self.radio_trouble}")
        self.driver.stop_scanning()  # a radio that need not scan as well links sooner
        self.reporter.report("connecting", f"connecting to {address}", address=address)
        dialled = time.monotonic()
        self.driver.connect(address)
        link = self._await_link(address)
        if isinstance(link, Failed):
            return failure(f"no link to {address}: {link.error}")
        took = link.at - dialled
        self._tell_link(link, f" in {took:.2f} s", took)
        # The handshake (PROTOCOL.md, Link set-up): without it a node of the protocol would soon end the link.
        self._send(address, self._identity)
        lost = self._hold(address, link.at)
        if lost is not None:
            return failure(f"the link was lost after {lost.at - link.at:.1f} s", seconds_to_link=round(took, 3))
        held = time.monotonic() - link.at
        self._part(address)
        return success(f"linked in {took:.2f} s, held for {held:.1f} s", seconds_to_link=round(took, 3))

    def _await_advertisement(self) -> str | None:
        deadline = time.monotonic() + self.options.timeout
        while (happening := self.inbox.get(deadline)) is not None:
            if isinstance(happening, Discovered) and self._wanted in (None, happening.device.address):
                device = happening.device
                signal = f"{device.rssi} dBm" if device.rssi is not None else "signal unknown"
                self.reporter.report(
                    "discovered",
                    f"{device.address} is heard ({device.name or 'no name'}, {signal})",
                    address=device.address,
                    name=device.name,
                    rssi=device.rssi,
                )
                return device.address
        return None

    def _await_link(self, address: str) -> Connected | Failed:
        # No time-out of ours: the driver reports the one or the other within its own.
        while True:
            happening = self.inbox.get(math.inf)
            if isinstance(happening, Failed) and happening.address == address:
                self.reporter.report(
                    "failed",
                    f"no link to {address}: {happening.error}",
                    address=address,
                    reason=str(happening.error),
                    kind=type(happening.error).__name__,
                )
                return happening
            if isinstance(happening, Connected) and happening.address == address:
                return happening

    def _hold(self, address: str, since: float) -> Disconnected | None:
        """Hold the link for as long as wished; return its end if that came sooner."""
        span = self.options.seconds
        end = math.inf if span is None else since + span
        with contextlib.suppress(Interrupted):  # Ctrl-C: that was long enough
            while time.monotonic() < end:
                happening = self.inbox.get(min(end, time.monotonic() + KEEPALIVE_INTERVAL))
                if happening is None:
                    self._send(address, KEEPALIVE)
                elif isinstance(happening, Disconnected) and happening.address == address:
                    self._tell_end(happening, "not by us")
                    return happening
                else:
                    self._tell_frame(happening)
        return None

    def _part(self, address: str) -> None:
        self.driver.disconnect(address)
        deadline = time.monotonic() + PARTING_TIME
        with contextlib.suppress(Interrupted):  # stop, which comes next, ends the link as well
            while (happening := self.inbox.get(deadline)) is not None:
                if isinstance(happening, Disconnected) and happening.address == address:
                    self._tell_end(happening, "as we wished")
                    return

    # --- peripheral ---------------------------------------------------------------------------------------------------

    def _listen(self) -> Outcome:
        self.driver.start_advertising(self.options.name)
        self.report_started("advertising, and waiting for links", identity=self._identity.hex())
        span = self.options.seconds
        deadline = math.inf if span is None else time.monotonic() + span
        links = 0
        with contextlib.suppress(Interrupted):  # the way to end it
            while (happening := self.inbox.get(deadline)) is not None:
                if isinstance(happening, Connected):
                    links += 1
                    self._tell_link(happening, "", None)
                elif isinstance(happening, Disconnected):
                    self._tell_end(happening, "not by us")
                else:
                    self._tell_frame(happening)
        return success(f"{links} links taken", links=links) if links else failure("nobody linked", links=0)

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell_link(self, link: Connected, how: str, took: float | None) -> None:
        self._up[link.address] = link
        role = link.role.value if link.role is not None else None
        identity = link.identity.hex() if link.identity is not None else None
        self.reporter.report(
            "connected",
            f"linked to {link.address}{how}: we are {role}, ATT MTU {link.mtu}, identity {identity or 'not told yet'}",
            address=link.address,
            role=role,
            mtu=link.mtu,
            identity=identity,
            seconds=round(took, 3) if took is not None else None,
        )

    def _tell_end(self, end: Disconnected, why: str) -> None:
        link = self._up.pop(end.address, None)
        lasted = end.at - link.at if link is not None else 0.0
        self.reporter.report(
            "disconnected",
            f"the link to {end.address} is gone after {lasted:.1f} s, {why}",
            address=end.address,
            seconds=round(lasted, 3),
            expected=why == "as we wished",
        )

    def _tell_frame(self, happening: object) -> None:
        if not isinstance(happening, Frame) or happening.data == KEEPALIVE:
            return
        handshake = len(happening.data) == IDENTITY_LENGTH
        what = f"its identity {happening.data.hex()}" if handshake else f"a frame of {len(happening.data)} bytes"
        self.reporter.report(
            "received",
            f"{happening.address} sends {what}",
            address=happening.address,
            bytes=len(happening.data),
            identity=happening.data.hex() if handshake else None,
        )

    def _send(self, address: str, frame: bytes) -> None:
        with contextlib.suppress(NotConnectedError, DriverStateError, SendQueueFull):  # the report of it is on its way
            self.driver.send(address, frame)


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("address", nargs="?", help="whom to link to (default: the first node heard)")
    parser.add_argument(
        "--seconds", type=seconds, help="how long to hold the link, or to listen (default: until Ctrl-C)"
    )
    parser.add_argument("--timeout", type=seconds, default=30.0, help="how long to look for the node (default: 30)")
    parser.add_argument("--listen", action="store_true", help="do not dial: advertise and take links")
    parser.add_argument("--name", help="with --listen: the name to advertise, 8 bytes at most")
    return run(parser, Connect)


if __name__ == "__main__":
    sys.exit(main())
