"""One node of the mesh: a stack that sends packets to its peers, and is switched off and on."""

from __future__ import annotations

import random
from collections import Counter

from ble_interface import BLEInterface, BLEPeerInterface, PeerGoneError
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir

from .mail import Mail

#: Seconds, on average, from one packet that a node sends to the next.
PACKET_INTERVAL = 10.0
#: Bytes of the smallest and the largest packet; the largest is Reticulum's.
PACKET_SIZE = (20, 500)
#: Seconds, on average, for which a node is away that was switched off.
ABSENCE = 60.0
#: How many links a node has at most.
MAX_CONNECTIONS = 7
#: Bytes per second of a link: half of what the 1M PHY carries.
THROUGHPUT = 50_000.0


class Station:
    """A node.

    Args:
        air: what it shares with the others.
        number: which of them it is.
        position: where it is, in metres.
        mail: where packets are registered.
        seed: of what it does by chance.
        churn: how many times an hour it is switched off.

    Attributes:
        waits: seconds from each time it was switched on to its first peer.
    """

    def __init__(
        self, air: VirtualAir, number: int, position: tuple[float, float], mail: Mail, seed: int, churn: float
    ) -> None:
        self.number = number
        self.identity = b"simulated " + number.to_bytes(6, "big")
        self.driver = MockBLEDriver(air, position=position, throughput=THROUGHPUT)
        self.interface = BLEInterface(self, f"node-{number}", self.driver, max_connections=MAX_CONNECTIONS)
        self.interface.on_peer_connected = self._peer_came
        self.waits: list[float] = []
        self._dropped: Counter[str] = Counter()  # in former lives
        self.is_on = False
        self._dispatcher = air.dispatcher
        self._mail = mail
        self._random = random.Random(f"{seed}/{number}")
        self._churn = churn
        self._switched_on = 0.0
        self._waiting = False
        self._life = 0  # which time it is switched on: what was planned in another life is not done

    # --- on and off ---------------------------------------------------------------------------------------------------

    def switch_on(self) -> None:
        """Start the stack."""
        self._switched_on, self._waiting, self.is_on = self._dispatcher.time(), True, True
        self._life += 1
        self.interface.start(self.identity)
        self._plan(self._random.expovariate(1.0 / PACKET_INTERVAL), self._send)
        if self._churn:
            self._plan(self._random.expovariate(self._churn / 3600.0), self._switch_off)

    def _plan(self, delay: float, what: object) -> None:
        self._dispatcher.call_later(delay, self._do, what, self._life)

    def _do(self, what: object, life: int) -> None:
        if life == self._life:
            assert callable(what)
            what()

    def _switch_off(self) -> None:
        """Go, one half of the times without a word, and come back under another address."""
        if self._random.random() < 0.5:
            self.driver.vanish()
        self._life += 1
        self.is_on = False
        self._dropped = self.dropped()
        self.interface.dropped.clear()
        self.interface.stop()
        self.driver.rotate()
        self._plan(self._random.expovariate(1.0 / ABSENCE) + 1.0, self.switch_on)

    def dropped(self) -> Counter[str]:
        """Return what its interface has dropped, by reason."""
        return self._dropped + Counter(self.interface.get_status()["totals"]["dropped"])

    def _peer_came(self, peer: BLEPeerInterface) -> None:
        if self._waiting:
            self._waiting = False
            self.waits.append(self._dispatcher.time() - self._switched_on)

    # --- packets ------------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        self._plan(self._random.expovariate(1.0 / PACKET_INTERVAL), self._send)
        peers = self.interface.peers
        if not peers:
            return
        peer = self._random.choice(peers)
        packet = self._mail.write(self.identity, peer.identity, self._random.randint(*PACKET_SIZE))
        if packet is not None:
            try:
                peer.process_outgoing(packet)
            except PeerGoneError:
                self._mail.unsent(packet)

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Take a packet from a peer."""
        self._mail.arrived(packet, peer.identity, self.identity)
