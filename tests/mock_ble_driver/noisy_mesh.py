"""A small mesh in which everything goes wrong, and all that happens in it: ``python -m …noisy_mesh SEED``."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

from ble_driver import VirtualDispatcher
from ble_interface import BLEInterface, BLEPeerInterface, PeerGoneError
from drivers.mock_ble_driver import Fault, Propagation, SloppyMockDriver, Step, VirtualAir

NODES, SECONDS = 12, 100

CALLBACKS = [name for name in dir(SloppyMockDriver) if name.startswith("on_")]


class Traced(SloppyMockDriver):
    """A radio that writes down every callback before it makes it."""

    trace: list[str]

    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        names = [name for name in CALLBACKS if getattr(self, name) is callback]
        self.trace.append(f"{self.air.dispatcher.time():.9f} {self.number} {names} {args!r}")
        super()._emit(callback, *args)


class Node:
    """An owner whose packets are written down."""

    def __init__(self, air: VirtualAir, chance: random.Random, trace: list[str]) -> None:
        position = (chance.uniform(0, 40), chance.uniform(0, 40))
        self.driver = Traced(air, sloppiness=0.2, position=position, tx_power=chance.choice((0.0, 4.0)), throughput=2e4)
        self.driver.trace = self.trace = trace
        self.identity = b"node %11d" % self.driver.number
        self.interface = BLEInterface(self, f"{self.driver.number}", self.driver, max_connections=4)

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        self.trace.append(f"{self.driver.air.dispatcher.time():.9f} {self.driver.number} {peer} {packet!r}")


def run(seed: int) -> list[str]:
    """Return everything that happens."""
    trace: list[str] = []
    chance = random.Random(seed)
    with VirtualDispatcher() as dispatcher:
        air = VirtualAir(
            dispatcher, seed=seed, advertising_interval=0.5, connection_interval=0.03, loss=0.1,
            propagation=Propagation(shadowing=4.0),
        )  # fmt: skip
        for step in Step:
            air.faults.add(chance.choice(list(Fault)), step, probability=0.05)
        nodes = [Node(air, chance, trace) for _ in range(NODES)]
        for node in nodes:
            node.interface.start(node.identity)
        for _ in range(SECONDS):
            dispatcher.run_for(1.0)
            node = chance.choice(nodes)
            match chance.randrange(12):
                case 0:
                    node.driver.rotate()
                case 1:
                    node.driver.stall(chance.uniform(0, 20))
                case 2:
                    node.driver.move((chance.uniform(0, 40), chance.uniform(0, 40)))
                case 3:
                    node.driver.vanish()
                    node.interface.stop()
                    node.interface.start(node.identity)
                case _:
                    for peer in node.interface.peers:
                        try:
                            peer.process_outgoing(chance.randbytes(chance.randint(1, 2000)))
                        except PeerGoneError:
                            trace.append("gone")
        for node in nodes:
            trace.append(str(node.interface.get_status()))
            node.interface.stop()
    return trace


if __name__ == "__main__":
    sys.stdout.write("\n".join(run(int(sys.argv[1]))))
