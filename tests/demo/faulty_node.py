"""The node of the demo with one fault, named by DEMO_FAULT in the environment."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import reticulum_node


class Mute(reticulum_node.Node):
    """Never sends a message."""

    def send_message(self, peer: str, text: str, method: str) -> None:
        pass


class Deaf(reticulum_node.Node):
    """Receives messages but never proves it."""

    def __init__(self, config: Path, name: str) -> None:
        super().__init__(config, name)
        self.address.set_packet_callback(lambda *_: None)
        self.address.set_link_established_callback(lambda link: link.set_packet_callback(self._swallow))

    def _swallow(self, data: bytes, packet: Any) -> None:
        self.router.lxmf_delivery(data, packet.destination_type, method=reticulum_node.METHODS["direct"])


class Corrupting(reticulum_node.Node):
    """Flips one bit of what it received."""

    def store_file(self, peer: str, name: str, data: bytes) -> None:
        super().store_file(peer, name, data[:1000] + bytes([data[1000] ^ 1]) + data[1001:])


class Refusing(reticulum_node.Node):
    """Takes links, but no file over them."""

    def accepted_link(self, link: Any) -> None:
        pass


class Dying(reticulum_node.Node):
    """Dies in the middle of a transfer."""

    def started_file(self, resource: Any) -> None:
        resource.progress_callback(lambda _: os._exit(7))


class Stuck(reticulum_node.Node):
    """Cannot end by itself."""

    def close(self) -> None:
        threading.Event().wait(60)


FAULTS = {fault.__name__.lower(): fault for fault in (Mute, Deaf, Corrupting, Refusing, Dying, Stuck)}

if __name__ == "__main__":
    reticulum_node.main(FAULTS[os.environ["DEMO_FAULT"]])
