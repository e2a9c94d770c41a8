"""The project's radio daemon on a free port, with walls that a scenario puts up, and a capture of each adapter.

    python -m tests.bluez.walled_radio DIRECTORY

A line on standard input is a JSON list of pairs of addresses that do not hear each other; the next replaces it. What
passes between each host and its controller is in DIRECTORY, in the format of btmon. It is written here rather than by
a btmon in each guest, which took a quarter of an emulated machine, and whose capture went with a kernel that crashed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

from bumble.snoop import BtSnooper

from drivers.bumble_driver.radio import Air, RadioServer
from drivers.bumble_driver.radio.controller import RadioController

#: Bits per second: a quarter of LE 1M, as emulated processors are slower than those that LE 1M is for. Nothing but the
#: air holds notifications back, and what bluetoothd does not read in time is lost in the kernel (it keeps 208 KiB).
BIT_RATE = 250e3


class WalledAir(Air):
    """An air in which some are out of range of each other."""

    def __init__(self) -> None:
        super().__init__(bit_rate=BIT_RATE)
        self.walls: set[frozenset[str]] = set()

    def hears(self, sender: RadioController, receiver: RadioController) -> bool:
        """Whether there is no wall between them."""
        return not self.walls or frozenset((_address(sender), _address(receiver))) not in self.walls


def _address(controller: RadioController) -> str:
    return str(controller.public_address).partition("/")[0]


class CapturingServer(RadioServer):
    """Writes down what each host and its controller say to each other.

    Args:
        directory: where the captures go.
        air: what all controllers share.
    """

    def __init__(self, directory: Path, air: Air) -> None:
        # Without the event that follows a cancelled attempt: over it, Debian's 6.1 kernel corrupts a list.
        super().__init__("127.0.0.1", 0, air=air, cancel_event=False)
        self._directory = directory

    def make_controller(self) -> RadioController:
        return CapturedController(self._directory, self.air)


class CapturedController(RadioController):
    """A controller that writes down what passes.

    Args:
        directory: where its capture goes, under its address.
        air: what it shares with others.
    """

    def __init__(self, directory: Path, air: Air) -> None:
        super().__init__(air, cancel_event=False)
        # Unbuffered: it is read while this runs.
        self._file = (directory / f"{_address(self)}.btsnoop").open("wb", buffering=0)
        self._snooper = BtSnooper(self._file)

    def on_packet(self, packet: bytes) -> None:
        self._snooper.snoop(packet, BtSnooper.Direction.HOST_TO_CONTROLLER)
        super().on_packet(packet)

    def _send(self, packet: bytes) -> None:
        self._snooper.snoop(packet, BtSnooper.Direction.CONTROLLER_TO_HOST)
        super()._send(packet)

    def detach(self) -> None:
        super().detach()
        self._file.close()


async def main(directory: Path) -> None:
    """Serve until standard input ends."""
    air = WalledAir()
    server = CapturingServer(directory, air)
    await server.start()
    print(f"radio: listening on 127.0.0.1:{server.port}", flush=True)  # noqa: T201 - the rig reads it
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        air.walls = {frozenset(pair) for pair in json.loads(line)}
    await server.close()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(relativeCreated)8d %(name)s: %(message)s")
    asyncio.run(main(Path(sys.argv[1])))
