"""Bumble radios: real HCI, ATT and GATT bytes over a radio daemon in this process."""

from __future__ import annotations

from typing import Any

from bumble import hci
from bumble.device import Connection

from ble_driver import AsyncDispatcher, BLEDriverInterface
from ble_testing.contract import FaultName, Node, RealTimeRig, StepName
from drivers.bumble_driver import BumbleDriver
from drivers.bumble_driver.radio import RadioServer

from .bumble_faults import FaultyPeripheral


class BumbleRig(RealTimeRig):
    """Drivers that share one radio daemon."""

    mtu = 517

    def __init__(self) -> None:
        super().__init__()
        self._faults: list[tuple[Node, FaultyPeripheral]] = []
        self._dispatcher = AsyncDispatcher("radio-daemon")
        self._dispatcher.start()
        self._start_daemon(0)

    def _start_daemon(self, port: int) -> None:
        self._server = RadioServer("127.0.0.1", port)
        self._dispatcher.run(self._server.start(), timeout=5.0)
        self._port = self._server.port

    def strike(self, fault: FaultName, step: StepName, node: Node) -> None:
        driver = node.driver
        assert isinstance(driver, BumbleDriver)

        def strike() -> None:
            assert driver._device is not None
            assert driver._service is not None
            rx = driver._service.service.characteristics[0]
            self._faults.append((node, FaultyPeripheral(driver._device, rx.handle, fault, step, self._break_link)))

        driver.dispatcher.call_soon(strike)
        self.wait(lambda: self._faults)

    def heal(self) -> None:
        while self._faults:
            node, faulty = self._faults.pop()
            node.driver.dispatcher.call_soon(faulty.heal)

    def _break_link(self, connection: Connection) -> None:
        central, peripheral = connection.peer_address, connection.self_address

        def break_it() -> None:
            for controller in self._server.controllers:
                for link in controller.links:
                    if {link.peer_address, link.self_address} == {central, peripheral}:
                        controller.on_link_lost(link, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

        self._dispatcher.call_soon(break_it)

    def radio_off(self, node: Node) -> None:
        self._dispatcher.run(self._server.close(), timeout=5.0)

    def radio_on(self, node: Node) -> None:
        self._start_daemon(self._port)

    @property
    def radio(self) -> str:
        """Where the daemon listens."""
        return f"127.0.0.1:{self._server.port}"

    def make_driver(self, **options: Any) -> BLEDriverInterface:
        return BumbleDriver(radio=self.radio, **options)

    def vanish(self, node: Node) -> None:
        # As when the process is killed: the socket closes, and nobody says good-bye.
        driver = node.driver
        assert isinstance(driver, BumbleDriver)

        def cut() -> None:
            assert driver._transport is not None
            driver._transport.sink.transport.abort()  # type: ignore[attr-defined]

        driver.dispatcher.call_soon(cut)

    def close(self) -> None:
        super().close()
        self._dispatcher.run(self._server.close(), timeout=5.0)
        self._dispatcher.close()
