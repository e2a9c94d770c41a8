"""What the contract suite needs of this driver."""

from __future__ import annotations

import shutil
import tempfile
from typing import Any

from ble_driver import BLEDriverInterface
from ble_testing.contract import Node, RealTimeRig

from .driver import SocketDriver


class SocketRig(RealTimeRig):
    """Drivers that share one directory."""

    mtu = 517

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.mkdtemp()

    def make_driver(self, **options: Any) -> BLEDriverInterface:
        return SocketDriver(directory=self._directory, **options)

    def vanish(self, node: Node) -> None:
        assert isinstance(node.driver, SocketDriver)
        node.driver.vanish()

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._directory)
