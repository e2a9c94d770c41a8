"""What an interface tells of itself: plain values under names that a person can read and JSON can carry."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypedDict

from ble_driver import DriverStatus

from .states import ConnectionState
from .traffic import Traffic

if TYPE_CHECKING:
    from .interface import BLEInterface
    from .node import Node
    from .peer import BLEPeerInterface


class TrafficStatus(TypedDict):
    """What was carried: packets, their bytes, and drops by reason."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    dropped: dict[str, int]


class PeerStatus(TrafficStatus):
    """One peer. Times are ages in seconds; `rssi` is in dBm, None while its address is not heard."""

    identity: str
    address: str
    role: str
    mtu: int
    rssi: int | None
    state: str
    connected_for: float
    link_age: float
    last_heard: float
    last_sent: float
    waiting_bytes: int


class InterfaceStatus(TypedDict):
    """The interface. `links` counts links and attempts by state; `dials` counts attempts to connect, `failed_dials`
    those that ended without a link; `totals` includes peers that are gone; `driver` is what the radio tells of itself.
    """

    name: str
    identity: str | None
    address: str | None
    max_connections: int
    links: dict[str, int]
    dials: int
    failed_dials: int
    peers: list[PeerStatus]
    totals: TrafficStatus
    driver: DriverStatus


def status_of(interface: BLEInterface, node: Node | None) -> InterfaceStatus:
    """Return the picture of a moment; from any thread."""
    peers = list(node.peers.values()) if node is not None else []
    totals = Traffic()
    if node is not None:
        totals.add(node.past)
    for peer in peers:
        totals.add(_traffic_of(peer))
    totals.dropped.update(dict(interface.dropped))
    if node is not None and node.delivery.dropped:
        totals.dropped["owner_too_slow"] = node.delivery.dropped
    states = Counter(link.state for link in list(node.table.links.values())) if node is not None else Counter()
    return {
        "name": interface.name,
        "identity": node.identity.hex() if node is not None else None,
        "address": interface.driver.local_address,
        "max_connections": interface.settings.max_connections,
        "links": {state.value: states[state] for state in ConnectionState if states[state]},
        "dials": node.dials if node is not None else 0,
        "failed_dials": node.failed_dials if node is not None else 0,
        "peers": [_peer_status(node, peer) for peer in peers] if node is not None else [],
        "totals": _traffic_status(totals),
        "driver": interface.driver.get_status(),
    }


def _traffic_of(peer: BLEPeerInterface) -> Traffic:
    traffic = Traffic()
    traffic.add(peer.traffic)
    if peer.outbox_dropped:
        traffic.dropped["outbox_full"] = peer.outbox_dropped
    return traffic


def _traffic_status(traffic: Traffic) -> TrafficStatus:
    return {
        "rx_packets": traffic.rx_packets,
        "rx_bytes": traffic.rx_bytes,
        "tx_packets": traffic.tx_packets,
        "tx_bytes": traffic.tx_bytes,
        "dropped": dict(traffic.dropped),
    }


def _peer_status(node: Node, peer: BLEPeerInterface) -> PeerStatus:
    now, link = node.dispatcher.time(), peer.link
    return {
        "identity": peer.identity.hex(),
        "address": link.address,
        "role": link.role.value,
        "mtu": link.mtu,
        "rssi": node.dialing.rssi_of(link.address),
        "state": link.state.value,
        "connected_for": round(now - peer.since, 3),
        "link_age": round(now - link.born, 3),
        "last_heard": round(now - link.heard, 3),
        "last_sent": round(now - link.sent, 3),
        "waiting_bytes": peer.waiting,
        **_traffic_status(_traffic_of(peer)),
    }
