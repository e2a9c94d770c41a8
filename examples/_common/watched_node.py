"""The node of `reticulum_node.py`, which tells in addition when a peer's interface comes and goes.

python examples/_common/watched_node.py --config DIR --name alice
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import RNS
from reticulum_node import START_TIMEOUT, Node, emit, main

# Reticulum tells nobody of interfaces that come and go. Each link has an interface object of its own, so even a link
# that is back before we look is seen to be another one.
LOOK_INTERVAL = 0.2


class WatchedNode(Node):
    def __init__(self, config: Path, name: str) -> None:
        self._looking = threading.Lock()
        self._known: list[Any] = []
        super().__init__(config, name)
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def received_announce(self, destination_hash: bytes, announced_identity: Any, app_data: bytes | None) -> None:
        self._look()  # so that a link is told of before what has come over it
        super().received_announce(destination_hash, announced_identity, app_data)

    def _watch(self) -> None:
        while not self.stopping.wait(LOOK_INTERVAL):
            self._look()

    def _look(self) -> None:
        self._started.wait(START_TIMEOUT)
        with self._looking:
            interfaces = [i for i in list(RNS.Transport.interfaces) if getattr(i, "parent_interface", None) is not None]
            for interface in self._known:
                if interface not in interfaces:
                    emit("disconnected", interface=str(interface))
            for interface in interfaces:
                if interface not in self._known:
                    emit("connected", interface=str(interface), role=interface.peer.role.value)
            self._known = interfaces


if __name__ == "__main__":
    main(WatchedNode)
