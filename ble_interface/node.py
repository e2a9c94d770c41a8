"""One life of an interface, from start to stop: what the driver reports goes to the link table and the dial policy, and
what they decide goes to the driver and to the peers."""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ble_driver import (
    BLEDevice,
    BLEDriverError,
    DispatcherClosedError,
    DriverStateError,
    LinkError,
    NotConnectedError,
    Role,
    SendQueueFull,
    Timer,
)
from ble_driver.checks import IDENTITY_LENGTH

from .alarm import Alarm
from .delivery import Delivery
from .dialing import EVICT_AGE, EVICT_PATIENCE, GRACE, JITTER, MAX_REMEMBERED, DialPolicy
from .link_table import Action, Adopt, End, LinkTable, Part, Reconcile, Send
from .peer import BLEPeerInterface
from .peer_link import PeerLink
from .states import ConnectionState as State
from .traffic import Traffic

if TYPE_CHECKING:
    from .interface import BLEInterface

logger = logging.getLogger(__name__)

#: Seconds that the owner is given to take what has arrived when the interface stops.
LAST_DELIVERY_TIMEOUT = 1.0


class Node:
    """The links and peers of a started interface. Everything runs on the dispatcher unless it says otherwise.

    Args:
        interface: whose life it is.
        identity: our own 16 bytes.
    """

    def __init__(self, interface: BLEInterface, identity: bytes) -> None:
        self.interface = interface
        self.identity = identity
        self.driver = interface.driver
        self.dispatcher = interface.driver.dispatcher
        settings, self.dropped = interface.settings, interface.dropped
        self.table = LinkTable(identity, settings.max_connections, settings.max_packet, self.dropped)
        # Jitter must differ between nodes and be the same in every run of a test: so the identity is its seed.
        self.dialing = DialPolicy(random.Random(identity))
        self.delivery = Delivery(self.dispatcher.create_worker(f"{interface.name}-delivery"))
        self.peers: dict[bytes, BLEPeerInterface] = {}
        self.past = Traffic()  # of peers that are gone
        self.dials = self.failed_dials = 0
        self._alarm = Alarm(self.dispatcher, self._ring)
        self._looks: dict[str, Timer] = {}  # at devices that were heard too early to be dialled
        self._evicted = -EVICT_PATIENCE
        self._stopped = False

    # --- life ---------------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Take over the driver's callbacks; on any thread."""
        self.driver.on_device_discovered = self._on_dispatcher(self._discovered)
        self.driver.on_device_connected = self._on_dispatcher(self._connected)
        self.driver.on_device_disconnected = self._on_dispatcher(self._disconnected)
        self.driver.on_data_received = self._on_dispatcher(self._data)
        self.driver.on_connection_failed = self._on_dispatcher(self._connection_failed)
        self.driver.on_mtu_changed = self._on_dispatcher(self._mtu_changed)
        self.driver.on_send_ready = self._on_dispatcher(self._send_ready)

    def _on_dispatcher(self, function: Callable[..., None]) -> Callable[..., None]:
        """Return a callback for the driver. One that does not keep to its dispatcher is brought back to it."""

        def callback(*args: Any) -> None:
            if self._stopped:
                return
            if self.dispatcher.is_current:
                function(*args)
            else:
                with contextlib.suppress(DispatcherClosedError):
                    self.dispatcher.call_soon(callback, *args)

        return callback

    def stop(self) -> None:
        """The driver has stopped. On any thread; nothing reaches the owner afterwards."""
        self._stopped = True
        self._alarm.cancel()
        for look in list(self._looks.values()):
            look.cancel()
        now = self.dispatcher.time()
        for link in list(self.table.links.values()):  # those that the driver did not report, because of a callback
            for action in self.table.closed(link, now):
                if isinstance(action, Part):
                    self._part(action.link)
        for peer in list(self.peers.values()):  # of links that took over in the course of this
            self._part(peer.link)
        self.delivery.close(LAST_DELIVERY_TIMEOUT)

    # --- what the driver reports --------------------------------------------------------------------------------------

    def _discovered(self, device: BLEDevice) -> None:
        now, address = self.dispatcher.time(), device.address
        if address in self.table.links or self._is_linked_elsewhere(address):
            self.dialing.hear(device, now)
            return
        driver, free = self.driver, self.table.free
        delay = self.dialing.delay(device, driver.local_address, driver.local_address_type, now, free)
        if delay:
            self._look_again(device, delay)
            if free == 0 and self.interface.settings.evict_worst:
                self._evict_for(address, now)
            return
        self.dials += 1
        self.dialing.dialled(address, now)
        self.table.dial(address, now)
        self._perform([])
        try:
            self.driver.connect(address)
        except BLEDriverError as error:
            self._connection_failed(address, LinkError(str(error)))

    def _is_linked_elsewhere(self, address: str) -> bool:
        """Whether the peer that was last found at an address has a link, from another one of its addresses."""
        identity = self.dialing.identity_of(address)
        return identity is not None and self.table.active(identity) is not None

    def _look_again(self, device: BLEDevice, delay: float) -> None:
        """Decide again when the time has come: BlueZ may report a device whose signal does not vary once in 10 s."""
        wanted = delay <= GRACE + JITTER and device.address not in self._looks
        if wanted and len(self._looks) < MAX_REMEMBERED:
            self._looks[device.address] = self.dispatcher.call_later(delay, self._look, device)

    def _look(self, device: BLEDevice) -> None:
        del self._looks[device.address]
        if not self._stopped:
            self._discovered(device)

    def _evict_for(self, address: str, now: float) -> None:
        """End the worst link if the peer at `address` waits for its place and is clearly better."""
        if now - self._evicted < EVICT_PATIENCE:
            return
        old = [
            link
            for link in self.table.links.values()
            # What was never heard cannot be compared.
            if link.state is State.ACTIVE
            and now - link.born >= EVICT_AGE
            and self.dialing.rssi_of(link.address) is not None
        ]
        worst = min(old, key=lambda link: self.dialing.score(link.address, now), default=None)
        if worst is not None and self.dialing.is_clearly_better(address, worst.address, now):
            self._evicted = now
            self._perform(self.table.end(worst, f"{address} is clearly better", now))

    def _connection_failed(self, address: str, error: LinkError) -> None:
        link, now = self.table.links.get(address), self.dispatcher.time()
        if link is None or link.state is not State.DIALLING or address in self.driver.connecting_peers:
            return  # of an attempt before this one, or told twice
        logger.info("%s: no link to %s: %s", self.interface, address, error)
        self.failed_dials += 1
        self.dialing.failed(address, error, now)
        self.table.closed(link, now)

    def _connected(self, address: str, mtu: int) -> None:
        role, now = self.driver.peer_role(address), self.dispatcher.time()
        if role is None:  # late: it is gone already
            self._disconnected(address)
            return
        self._perform(self.table.came_up(address, role, mtu, now))
        link, identity = self.table.links[address], self.driver.peer_identity(address)
        if link.state is State.UNKNOWN and identity is not None:
            self._identify(link, identity)

    def _identify(self, link: PeerLink, identity: bytes) -> None:
        now = self.dispatcher.time()
        self.dialing.learn(link.address, identity, now)
        self._perform(self.table.identify(link, identity, now))

    def _disconnected(self, address: str) -> None:
        link, now = self.table.links.get(address), self.dispatcher.time()
        if link is None or (link.state is State.DIALLING and address in self.driver.connecting_peers):
            return  # of a link before this attempt, or told twice
        actions = self.table.closed(link, now)
        self._perform(actions)
        if any(isinstance(action, Part) for action in actions):
            logger.info("%s: the link to %s is gone", self.interface, link)
            self.dialing.unlinked(address, now - link.born, now)

    def _mtu_changed(self, address: str, mtu: int) -> None:
        link = self.table.links.get(address)
        if link is not None:
            link.set_mtu(mtu)
            if (peer := self._carried_by(link)) is not None:
                peer.mtu_changed()

    def _send_ready(self, address: str) -> None:
        link = self.table.links.get(address)
        if link is not None and (peer := self._carried_by(link)) is not None:
            peer.flush()

    def _carried_by(self, link: PeerLink) -> BLEPeerInterface | None:
        """Return the peer whose packets go over this link."""
        peer = self.peers.get(link.identity) if link.identity is not None else None
        return peer if peer is not None and peer.link is link else None

    # --- frames -------------------------------------------------------------------------------------------------------

    def _data(self, address: str, data: bytes) -> None:
        link = self.table.links.get(address)
        if link is None:
            self.dropped["no_link"] += 1
            self.driver.disconnect(address)  # a link that only the driver knows of is of no use
        elif link.state is State.UNKNOWN:
            if len(data) == IDENTITY_LENGTH:
                self._identify(link, data)
            else:
                self.dropped["before_handshake"] += 1
        elif link.state in (State.ACTIVE, State.WAITING, State.DRAINING):
            self._frame(link, data)
        else:
            self.dropped["closing"] += 1

    def _frame(self, link: PeerLink, data: bytes) -> None:
        now = self.dispatcher.time()
        packet, reply = link.receive(data, now)
        if reply is not None and link.state is not State.DRAINING:
            self._send(link, reply)
            self._alarm.set(link.deadline(now))  # who sends a PING gets PINGs
        if packet is None or link.identity is None:
            return
        peer = self.peers.get(link.identity)
        if link.state is State.WAITING:
            link.hold(packet)
        elif peer is not None:
            peer.deliver(packet)

    def _send(self, link: PeerLink, frame: bytes) -> None:
        # A full queue is sign of life enough, and a lost link is reported by itself.
        with contextlib.suppress(SendQueueFull, NotConnectedError, DriverStateError):
            self.driver.send(link.address, frame)

    # --- what is to be done -------------------------------------------------------------------------------------------

    def _ring(self) -> None:
        if not self._stopped:
            self._perform(self.table.due(self.dispatcher.time()))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Adopt(link):
                    self._adopt(link)
                case Part(link):
                    self._part(link)
                case End(link, why):
                    self._end(link, why)
                case Send(link, frame):
                    self._send(link, frame)
                case Reconcile(link):
                    self._reconcile(link)
        self._alarm.set(self.table.deadline(self.dispatcher.time()))

    def _adopt(self, link: PeerLink) -> None:
        now = self.dispatcher.time()
        if link.state is not State.ACTIVE or link.identity is None:
            return  # it has broken in the course of what was done before
        if link.role is Role.CENTRAL:
            try:
                self.driver.send(link.address, self.identity)  # the handshake; the driver awaits the answer
            except (NotConnectedError, DriverStateError, SendQueueFull) as error:
                self._perform(self.table.end(link, f"the handshake cannot be sent: {error}", now))
                return
        self.dialing.linked(link.address, link.identity, now)
        peer = self.peers.get(link.identity)
        if peer is None:
            peer = self.peers[link.identity] = BLEPeerInterface(self.interface, link.identity, link)
            self._tell(self.interface.on_peer_connected, peer)
        logger.info("%s: linked to %s at %s", self.interface, link.identity.hex(), link)
        peer.use(link)

    def _part(self, link: PeerLink) -> None:
        peer = self.peers.pop(link.identity, None) if link.identity is not None else None
        if peer is not None:
            peer.close()
            self.past.add(peer.traffic)
            if peer.outbox_dropped:
                self.past.dropped["outbox_full"] += peer.outbox_dropped
            self._tell(self.interface.on_peer_disconnected, peer)

    def _end(self, link: PeerLink, why: str) -> None:
        logger.info("%s: ends the link to %s: %s", self.interface, link, why)
        if unconfirmed := len(link.release()):
            self.dropped["unconfirmed"] += unconfirmed
        self.driver.disconnect(link.address)

    def _reconcile(self, link: PeerLink) -> None:
        """Believe the driver's lists where its callbacks are missing."""
        if link.state is State.DIALLING and link.address in self.driver.connecting_peers:
            return
        self.driver.disconnect(link.address)
        if link.state is State.DIALLING or link.address not in self.driver.connected_peers:
            logger.warning("%s: the driver did not say what became of %s", self.interface, link)
            self._perform(self.table.closed(link, self.dispatcher.time()))

    # --- the way up ---------------------------------------------------------------------------------------------------

    def deliver(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Hand a whole packet to the owner, on the owner's thread."""
        self.delivery.post(len(packet), partial(self.interface.owner.inbound, packet, peer))

    def _tell(self, callback: Callable[[BLEPeerInterface], Any] | None, peer: BLEPeerInterface) -> None:
        if callback is not None:
            self.delivery.post(0, partial(callback, peer))
