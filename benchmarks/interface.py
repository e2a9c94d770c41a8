"""From `process_outgoing` to `owner.inbound`: what the protocol costs, on top of a radio that costs nothing real."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from ble_driver import AsyncDispatcher
from ble_interface import BLEPeerInterface, Fragmenter
from drivers.mock_ble_driver import VirtualAir

from ._common import Figure, Row, in_turns, ratio
from ._common.star import MTU, Node, a_star

PEERS, BROADCAST_PEERS = (1, 7, 50), 50
#: A packet of Reticulum, and the packets of one turn.
PACKET, PACKETS_PER_TURN, TURNS = random.Random(1).randbytes(500), 700, 15
#: Packets whose latency is taken, one every so many seconds.
SAMPLES, PACE = 400, 0.004


def rows(quick: bool) -> Iterator[Row]:
    """Measure throughput, a broadcast, and latency."""
    for peers in PEERS[: 2 if quick else None]:
        yield _throughput(peers, 100 if quick else PACKETS_PER_TURN, 3 if quick else TURNS)
    yield _broadcast()
    yield from _latency(20 if quick else SAMPLES)


def _throughput(peers: int, packets: int, turns: int) -> Row:
    """Compare interfaces with bare radios that carry the same frames."""
    frames = Fragmenter(MTU - 3).fragment(PACKET)
    rounds = packets // peers
    with a_star(peers) as star, a_star(peers, interface=False) as bare:
        hub = star.hub.interface
        assert hub is not None

        def ours() -> None:
            for _ in range(rounds):
                before = sum(spoke.received for spoke in star.spokes)
                for peer in hub.peers:
                    peer.process_outgoing(PACKET)
                star.run_until_received(before + peers)

        def radio() -> None:
            for _ in range(rounds):
                before = sum(spoke.received for spoke in bare.spokes)
                for address in bare.hub.driver.connected_peers:
                    bare.hub.driver.send_frames([address], frames)
                bare.run_until_received(before + peers * len(frames))

        seconds = in_turns({"ours": ours, "radio": radio}, turns)
    rate = Figure.of(seconds["ours"]).per(rounds * peers)
    added = statistics.median(seconds["ours"]) - statistics.median(seconds["radio"])
    what = (
        f"500 B to {peers} peers: {added / rounds / peers * 1e6:.0f} us of CPU a packet more than the bare mock radio"
    )
    return Row("interface", what, rate, "packets/s of CPU", ratio(seconds, "ours", "radio"), "of the bare radio's CPU")


def _broadcast() -> Row:
    """Count how often one packet to many peers is cut."""
    with a_star(BROADCAST_PEERS) as star:
        hub = star.hub.interface
        assert hub is not None
        cut: list[Sequence[bytes]] = []
        send_frames = star.hub.driver.send_frames

        def watch(addresses: Sequence[str], frames: Sequence[bytes]) -> list[str]:
            cut.append(frames)  # kept, so that no other list can have its place
            return send_frames(addresses, frames)

        star.hub.driver.send_frames = watch  # type: ignore[assignment,method-assign]
        before = time.thread_time()
        for peer in hub.peers:
            peer.process_outgoing(PACKET)
        star.run_until_received(BROADCAST_PEERS)
        took = time.thread_time() - before
        assert len(cut) == BROADCAST_PEERS
    times = len({id(frames) for frames in cut})
    what = f"one packet to {BROADCAST_PEERS} peers"
    return Row("interface", what, Figure(took * 1e3, 0.0), "ms of CPU", times, "times cut into frames", 1)


def _latency(samples: int) -> Iterator[Row]:
    """Time, with real threads, from `process_outgoing` to the driver; idle, and under load of another peer."""
    dispatcher = AsyncDispatcher("benchmark")
    air = VirtualAir(dispatcher, frame_time=0.002)
    dispatcher.start()
    hub, *_ = nodes = [Node(air, n, True) for n in range(1, 4)]
    try:
        deadline = time.monotonic() + 60.0
        while hub.links < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert hub.interface is not None
        one, other = hub.interface.peers
        idle, hop = _samples(hub, one, dispatcher, samples)
        yield from _latency_rows("idle", idle, hop)
        busy = threading.Event()
        load = threading.Thread(target=_load, args=(other, busy))
        load.start()
        try:
            loaded, hop = _samples(hub, one, dispatcher, samples)
        finally:
            busy.set()
            load.join()
        yield from _latency_rows("another peer under full load", loaded, hop)
    finally:
        for node in nodes:
            node.stop()
        dispatcher.close()


def _load(peer: BLEPeerInterface, end: threading.Event) -> None:
    while not end.is_set():
        for _ in range(8):
            peer.process_outgoing(PACKET)
        time.sleep(0.01)


def _samples(
    hub: Node, peer: BLEPeerInterface, dispatcher: AsyncDispatcher, count: int
) -> tuple[list[float], list[float]]:
    """Return seconds from `process_outgoing` to `send_frames`, and those of a bare call on the dispatcher, in turns."""
    arrived, got = threading.Event(), [0.0]
    send_frames = hub.driver.send_frames

    def watch(addresses: Sequence[str], frames: Sequence[bytes]) -> list[str]:
        if peer.address in addresses:
            note()
        return send_frames(addresses, frames)

    def note() -> None:
        got[0] = time.perf_counter()
        arrived.set()

    hub.driver.send_frames = watch  # type: ignore[assignment,method-assign]
    ours: list[float] = []
    hops: list[float] = []
    sides: list[tuple[list[float], Callable[[], None]]] = [
        (ours, lambda: peer.process_outgoing(PACKET)),
        (hops, lambda: dispatcher.call_soon(note)),
    ]
    for _ in range(count):
        for times, act in sides:
            time.sleep(PACE)
            arrived.clear()
            begun = time.perf_counter()
            act()
            arrived.wait(5.0)
            times.append(got[0] - begun)
    hub.driver.send_frames = send_frames  # type: ignore[method-assign]
    return ours, hops


def _latency_rows(when: str, ours: list[float], hops: list[float]) -> Iterator[Row]:
    for share in (50, 99):
        mine, bare = (statistics.quantiles(times, n=100)[share - 1] * 1e6 for times in (ours, hops))
        what = f"latency from process_outgoing to the driver, p{share}, {when}"
        yield Row(
            "interface", what, Figure(mine, 0.0), "us", mine / bare, f"of a bare call's p{share} on the dispatcher"
        )
