"""A scanner and two clients share one adapter without collision.

    python examples/shared_adapter.py [ADDRESS ADDRESS] [--rounds 3] [--hold 0.5] [--json]

Many controllers cannot scan and connect at once, and none can open two connections at once. `ExclusiveControlManager`
lets everybody have a turn: here a scanner, which is always on when it may be, and two clients, each of which links to
a node of its own, holds the link and ends it, again and again. Whoever uses a Bluetooth library directly can take turns
like this; the drivers of this project do so inside.

On three Raspberry Pis: on the one

    python examples/connect.py --listen --name bob

on the next the same with `--name carol`, and on the third this. You see who has the adapter, and how long the others
waited for it:

    0.01  the scanner has the adapter
    0.05  the scanner hears D8:56:A0:7F:03:A7 (carol): for client one
    0.07  the scanner hears E8:7B:F4:C4:83:A2 (bob): for client two
    0.08  the scanner is off: a client needs the adapter
    0.08  client one has the adapter after 0.01 s and dials D8:56:A0:7F:03:A7
    0.17  client one is linked, round 1, and gives the adapter back
    0.17  client two has the adapter after 0.10 s and dials E8:7B:F4:C4:83:A2
    …
    1.99  holds: nobody was heard while a client had the adapter
    1.99  holds: one attempt at a time
    1.99  holds: the scanner had the adapter between the clients
    1.99  OK: 6 links in 6 attempts, 27 advertisements

Events besides the usual ones: `scanning`, with `on`. Another adapter: `--adapter hci1`. Without any hardware:
`python -m drivers.bumble_driver.radio`, and `--driver bumble` on all three.

Exit code: 0 if all links came up and all three hold; 1 if not, with the reason; 2 if the command line makes no sense;
130 or 143 if it was interrupted.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from _common.checks import Checks
from _common.command_line import Parser, count, run, seconds

from ble_cli.programs.command import Command
from ble_cli.programs.happenings import Connected, Disconnected, Discovered, Failed, Happening, forward
from ble_cli.programs.inbox import Inbox
from ble_cli.programs.outcome import Outcome, failure
from ble_cli.programs.program import Program
from ble_cli.programs.reporter import Reporter
from ble_driver import (
    BLEDevice,
    BLEDriverInterface,
    DriverState,
    ExclusiveControlManager,
    ReconnectPolicy,
    normalise_address,
)

CLIENTS = ("one", "two")
#: Seconds between two looks at what the driver does.
LOOK = 0.01

NOT_HEARD = "nobody was heard while a client had the adapter"
ONE_AT_A_TIME = "one attempt at a time"
SCANNED = "the scanner had the adapter between the clients"


class Client:
    """One user of the adapter, and the node that is its own.

    Attributes:
        address: of that node, once it was heard.
        outcome: how the attempt under way ends.
        links: how many there were.
    """

    def __init__(self, name: str, wanted: str | None) -> None:
        self.name = name
        self.wanted = wanted
        self.address: asyncio.Future[str] | None = None
        self.outcome: asyncio.Future[Happening] | None = None
        self.links = 0

    def takes(self, device: BLEDevice, taken: set[str]) -> bool:
        """Whether this is the node for it."""
        if self.address is None or self.address.done():
            return False
        return device.address == self.wanted if self.wanted is not None else device.address not in taken


class SharedAdapter(Program):
    def __init__(self, command: Command, driver: BLEDriverInterface, reporter: Reporter, inbox: Inbox) -> None:
        super().__init__(command, driver, reporter, inbox)
        wanted = [normalise_address(address) for address in self.options.addresses]
        self._clients = [Client(name, wanted[n] if n < len(wanted) else None) for n, name in enumerate(CLIENTS)]
        self._manager = ExclusiveControlManager()
        self._retry = ReconnectPolicy(initial_delay=0.5, max_delay=5.0)
        self._identity = os.urandom(16)
        self._using: list[Client] = []  # who dials now; more than one would be a collision
        self._advertisements = self._attempts = self._passes = 0
        self._checks = Checks(NOT_HEARD, ONE_AT_A_TIME, SCANNED)

    def play(self) -> Outcome:
        forward(self.driver, self._take)
        self.driver.set_identity(self._identity)
        self.start_driver()
        self.report_started(f"a scanner and {len(CLIENTS)} clients share the adapter")
        everybody = self.driver.dispatcher.submit(self._share())
        everybody.add_done_callback(self.inbox.put)
        if self.inbox.get(time.monotonic() + self.options.timeout) is None:
            links = " and ".join(f"client {client.name} had {client.links}" for client in self._clients)
            everybody.cancel()
            return failure(
                f"of {self.options.rounds} links {links} within {self.options.timeout:g} s{self.radio_trouble}",
                links=self._links,
            )
        everybody.result()  # raises what went wrong in there
        return self._verdict()

    # --- all that follows runs on the dispatcher ----------------------------------------------------------------------

    async def _share(self) -> None:
        """Let everybody have turns until the clients are done."""
        for client in self._clients:
            client.address = asyncio.get_running_loop().create_future()
        users: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(self._scan()),
            asyncio.gather(*map(self._link_again_and_again, self._clients)),
        ]
        try:
            ended, _ = await asyncio.wait(users, return_when=asyncio.FIRST_COMPLETED)
            for user in ended:
                user.result()  # raises what went wrong
        finally:
            for user in users:
                user.cancel()

    async def _scan(self) -> None:
        while True:
            async with self._manager.scan_pass(math.inf) as turn:
                self._passes += 1
                self.driver.start_scanning()
                await self._until(lambda: DriverState.SCANNING in self.driver.state)
                self.reporter.report("scanning", "the scanner has the adapter", on=True)
                await turn.wait_for_stop()
                self.driver.stop_scanning()
                await self._until(lambda: DriverState.SCANNING not in self.driver.state)
                self.reporter.report("scanning", "the scanner is off: a client needs the adapter", on=False)

    async def _link_again_and_again(self, client: Client) -> None:
        # Both begin at once, so that the one has to wait for the other.
        await asyncio.wait([other.address for other in self._clients if other.address is not None])
        assert client.address is not None
        address = client.address.result()
        for number in range(1, self.options.rounds + 1):
            attempt = 0
            while not await self._link(client, address, number):
                await asyncio.sleep(self._retry.get_delay(attempt))
                attempt += 1
            await asyncio.sleep(self.options.hold)  # without the adapter: a link needs no turn to live
            self.driver.disconnect(address)
            await self._until(lambda: address not in self.driver.connected_peers)

    async def _link(self, client: Client, address: str, number: int) -> bool:
        """Have one attempt; return whether there is a link."""
        asked = time.monotonic()
        async with self._manager.client_operation(math.inf):
            waited = time.monotonic() - asked
            self.reporter.report(
                "connecting",
                f"client {client.name} has the adapter after {waited:.2f} s and dials {address}",
                client=client.name,
                address=address,
                round=number,
                waited=round(waited, 3),
            )
            others = self.driver.connecting_peers
            self._checks.require(
                ONE_AT_A_TIME, not others, f"{', '.join(others)} was dialled when client {client.name} began"
            )
            self._checks.require(ONE_AT_A_TIME, not self._using, f"client {client.name} was not alone")
            self._using.append(client)
            self._attempts += 1
            client.outcome = asyncio.get_running_loop().create_future()
            try:
                self.driver.connect(address)
                outcome = await client.outcome
            finally:
                self._using.remove(client)
        if isinstance(outcome, Connected):
            client.links += 1
            self.driver.send(address, self._identity)
            text = f"client {client.name} is linked, round {number}, and gives the adapter back"
            self.reporter.report("connected", text, client=client.name, address=address, round=number, mtu=outcome.mtu)
            return True
        assert isinstance(outcome, Failed)
        self.reporter.report(
            "failed", f"client {client.name}: {outcome.error}", client=client.name, reason=str(outcome.error)
        )
        return False

    def _take(self, happening: Happening) -> None:
        if isinstance(happening, Discovered):
            self._heard(happening.device)
        elif isinstance(happening, Connected | Failed):
            for client in self._using:
                if client.address is not None and client.address.result() == happening.address and client.outcome:
                    client.outcome.set_result(happening)
        elif isinstance(happening, Disconnected):
            self.reporter.report("disconnected", None, address=happening.address)

    def _heard(self, device: BLEDevice) -> None:
        self._advertisements += 1
        for client in self._using:
            self._checks.require(NOT_HEARD, False, f"{device.address} was heard while client {client.name} dialled")
        taken = {client.address.result() for client in self._clients if client.address and client.address.done()}
        for client in self._clients:
            if client.takes(device, taken) and client.address is not None:
                name = f" ({device.name})" if device.name is not None else ""
                text = f"the scanner hears {device.address}{name}: for client {client.name}"
                self.reporter.report("discovered", text, address=device.address, name=device.name, client=client.name)
                client.address.set_result(device.address)
                return

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - the driver's state has no event; the program as a whole has its time
            await asyncio.sleep(LOOK)

    # --- telling ------------------------------------------------------------------------------------------------------

    @property
    def _links(self) -> dict[str, int]:
        return {client.name: client.links for client in self._clients}

    def _verdict(self) -> Outcome:
        self._checks.require(SCANNED, self._passes > self.options.rounds, f"it had it {self._passes} times")
        links = self._links
        return self._checks.verdict(
            self.reporter,
            f"{sum(links.values())} links in {self._attempts} attempts, {self._advertisements} advertisements",
            links=links,
            attempts=self._attempts,
            advertisements=self._advertisements,
        )


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("addresses", nargs="*", help="a node for each client (default: the first two heard)")
    parser.add_argument("--rounds", type=count, default=3, help="how often each client links (default: 3)")
    parser.add_argument("--hold", type=seconds, default=0.5, help="seconds to hold a link (default: 0.5)")
    parser.add_argument("--timeout", type=seconds, default=120.0, help="seconds for all of it (default: 120)")
    return run(parser, SharedAdapter)


if __name__ == "__main__":
    sys.exit(main())
