"""Bumble radios: real HCI, ATT and GATT bytes over a radio daemon in this process."""

from __future__ import annotations

from typing import Any

from ble_driver import AsyncDispatcher, BLEDriverInterface
from ble_testing.contract import Node, RealTimeRig
from drivers.bumble_driver import BumbleDriver
from drivers.bumble_driver.radio import RadioServer


class BumbleRig(RealTimeRig):
    """Drivers that share one radio daemon."""

    mtu = 517

    def __init__(self) -> None:
        super().__init__()
        self._dispatcher = AsyncDispatcher("radio-daemon")
        self._dispatcher.start()
        self._start_daemon(0)

    def _start_daemon(self, port: int) -> None:
        self._server = RadioServer("127.0.0.1", port)
        self._dispatcher.run(self._server.start(), timeout=5.0)
        self._port = self._server.port

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
