"""The demo over the UDP interface that Reticulum brings itself, for tests of everything but the radio.

Like the radio, it loses what is sent before the other side is there. Run with the arguments of the demo;
DEMO_NODE_SCRIPT and DEMO_TIME_LIMIT in the environment replace the node and the time that it has.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from _demo.children import Children
from _demo.main import NODE_SCRIPT, TIME_LIMIT, main
from _demo.network import Network

SECTION = """\
  [[UDP]]
    type = UDPInterface
    enabled = Yes
    listen_ip = 127.0.0.1
    listen_port = {own}
    forward_ip = 127.0.0.1
    forward_port = {other}
"""


class Udp(Network):
    def __init__(self) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as first, socket.socket(type=socket.SOCK_DGRAM) as second:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            self._ports: tuple[int, int] = first.getsockname()[1], second.getsockname()[1]

    async def start(self, children: Children) -> str:
        return f"UDP between the ports {self._ports[0]} and {self._ports[1]}"

    def interface_section(self, name: str) -> str:
        own, other = self._ports if name == "alice" else reversed(self._ports)
        return SECTION.format(own=own, other=other)


if __name__ == "__main__":
    sys.exit(
        main(
            Udp(),
            node_script=Path(os.environ.get("DEMO_NODE_SCRIPT", NODE_SCRIPT)),
            time_limit=float(os.environ.get("DEMO_TIME_LIMIT", TIME_LIMIT)),
        )
    )
