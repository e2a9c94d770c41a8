"""What the two nodes speak over."""

from __future__ import annotations

import abc
import asyncio
import re
import sys
from collections.abc import Mapping, Sequence

from _demo.children import Children
from _demo.errors import MissingError

RADIO_COMMAND = (sys.executable, "-m", "drivers.bumble_driver.radio", "--port", "0", "--exit-with-parent")
RADIO_ADDRESS = re.compile(r"radio: listening on (\S+:\d+)")
RADIO_START_TIMEOUT = 15.0

BLE_SECTION = """\
  [[Bluetooth LE]]
    type = BLEInterface
    enabled = Yes
    driver = bumble
    radio = {address}
"""


class Network(abc.ABC):
    """Brings up a medium and says how a node gets onto it."""

    interface_files: Mapping[str, str] = {}

    @abc.abstractmethod
    async def start(self, children: Children) -> str:
        """Bring the medium up; return one line that says what it is."""

    @abc.abstractmethod
    def interface_section(self, name: str) -> str:
        """The interface in the Reticulum configuration of the node `name`."""


class EmulatedRadio(Network):
    """Bluetooth LE without hardware: a daemon emulates the controllers and the air between them."""

    interface_files: Mapping[str, str] = {"BLEInterface.py": "from ble_interface.reticulum import interface_class\n"}

    def __init__(self, command: Sequence[str] = RADIO_COMMAND, start_timeout: float = RADIO_START_TIMEOUT) -> None:
        self._command = command
        self._start_timeout = start_timeout
        self._address = ""

    async def start(self, children: Children) -> str:
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def on_line(line: str) -> None:
            if (match := RADIO_ADDRESS.fullmatch(line)) and not address.done():
                address.set_result(match[1])

        def on_end(returncode: int) -> None:
            if not address.done():
                address.set_exception(MissingError(f"the emulated radio: it ended with exit code {returncode}"))

        await children.start("radio", self._command, on_line, on_end, watches_input=False)
        if not (await asyncio.wait([address], timeout=self._start_timeout))[0]:
            raise MissingError(f"the emulated radio: no address after {self._start_timeout:g} s")
        self._address = address.result()
        return f"emulated Bluetooth LE radio on {self._address}"

    def interface_section(self, name: str) -> str:
        return BLE_SECTION.format(address=self._address)
