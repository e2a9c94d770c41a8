"""The project's radio daemon on a free port, with walls that a scenario puts up.

A line on standard input is a JSON list of pairs of addresses that do not hear each other; the next replaces it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from drivers.bumble_driver.radio import Air, RadioServer
from drivers.bumble_driver.radio.controller import RadioController


class WalledAir(Air):
    """An air in which some are out of range of each other."""

    def __init__(self) -> None:
        super().__init__()
        self.walls: set[frozenset[str]] = set()

    def hears(self, sender: RadioController, receiver: RadioController) -> bool:
        """Whether there is no wall between them."""
        return not self.walls or frozenset((_address(sender), _address(receiver))) not in self.walls


def _address(controller: RadioController) -> str:
    return str(controller.public_address).partition("/")[0]


async def main() -> None:
    """Serve until standard input ends."""
    air = WalledAir()
    # Without the event that follows a cancelled attempt: over it, Debian's 6.1 kernel corrupts a list.
    server = RadioServer("127.0.0.1", 0, air=air, cancel_event=False)
    await server.start()
    print(f"radio: listening on 127.0.0.1:{server.port}", flush=True)  # noqa: T201 - the rig reads it
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        air.walls = {frozenset(pair) for pair in json.loads(line)}
    await server.close()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(relativeCreated)8d %(name)s: %(message)s")
    asyncio.run(main())
