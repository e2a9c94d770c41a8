"""Which way a packet goes to a central, and that none is ever cut or mixed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ble_driver import LinkError, Packet, RadioError, frame_size
from drivers.bleak_driver.centrals import Centrals, notify_mtu
from drivers.bleak_driver.notifier import Notifier
from drivers.bleak_driver.notify_sockets import make_pair

A, B = "AA:AA:AA:AA:AA:AA", "BB:BB:BB:BB:BB:BB"
P, Q = (b"p1", b"p2"), (b"q",)


class BlueZ:
    """A bluetoothd with centrals, and a notifier that speaks to them by it."""

    def __init__(self) -> None:
        self.changes: list[bytes] = []
        self.waits: list[dict[str, list[bytes]]] = []
        self.on_wait: Callable[[], object] = lambda: None
        self.bounds = 0
        self.broken = False
        self.centrals = Centrals(lambda: 0.0)
        self.notifier = Notifier(self._change, self.centrals, lambda: 0.0, self._bounds_changed)
        self.sockets: dict[str, socket.socket] = {}

    async def _change(self, packet: Packet) -> None:
        if self.broken:
            raise RadioError("bluetoothd is gone")
        if not packet:
            self.waits.append({address: self.taken(address) for address in self.sockets})
            self.on_wait()
        self.changes.extend(packet)

    def _bounds_changed(self) -> None:
        self.bounds += 1

    def come(self, address: str, mtu: int = 517, *, with_socket: bool) -> None:
        """A central connects, subscribes and writes."""
        if with_socket:
            ours, self.sockets[address] = make_pair()
            self.sockets[address].setblocking(False)
            self.notifier.subscribed(address, mtu, ours)
        self.centrals.heard(address, mtu)

    async def send(self, to: str, packet: Packet) -> None:
        """Send as the driver does."""
        await self.notifier.notify(to, packet, [other for other in self.centrals.addresses if other != to])

    def taken(self, address: str) -> list[bytes]:
        """What bluetoothd finds in a socket."""
        frames = []
        while True:
            try:
                frames.append(self.sockets[address].recv(1000))
            except BlockingIOError:
                return frames


def on_loop(test: Callable[[BlueZ], Coroutine[Any, Any, None]]) -> None:
    """Run a test on a loop of its own."""

    async def run() -> None:
        bluez = BlueZ()
        try:
            await test(bluez)
        finally:
            bluez.notifier.close()
            for theirs in bluez.sockets.values():
                theirs.close()

    asyncio.run(run())


def test_the_only_central_is_told_by_its_socket() -> None:
    async def body(bluez: BlueZ) -> None:
        bluez.come(A, with_socket=True)
        await bluez.send(A, P)
        assert (bluez.taken(A), bluez.changes) == ([*P], [])

    on_loop(body)


def test_a_central_that_may_hear_the_socket_of_another_is_thought_of() -> None:
    """On BlueZ 5.66 the socket that the first was given reaches everybody."""

    async def body(bluez: BlueZ) -> None:
        bluez.come(A, with_socket=True)
        bluez.centrals.connected(B)  # subscribed, perhaps, and its MTU unknown
        assert bluez.notifier.mtu_for(A) == 23
        await bluez.send(A, (b"x" * 21,))  # cut for the MTU that held before
        await bluez.send(A, P)
        assert (bluez.taken(A), bluez.changes) == ([], [*P])
        bluez.come(B, 185, with_socket=False)
        assert bluez.notifier.mtu_for(A) == bluez.notifier.mtu_for(B) == notify_mtu(185)
        await bluez.send(B, Q)
        assert (bluez.taken(A), bluez.changes) == ([], [*P, *Q])

    on_loop(body)


def test_centrals_with_sockets_of_their_own_hear_nothing_of_each_other_and_keep_their_mtu() -> None:
    async def body(bluez: BlueZ) -> None:
        bluez.come(A, 517, with_socket=True)
        bluez.come(B, 23, with_socket=True)
        assert (bluez.notifier.mtu_for(A), bluez.notifier.mtu_for(B)) == (517, 23)
        long = (b"x" * frame_size(517),)
        await bluez.send(A, long)
        await bluez.send(B, P)
        await bluez.send(A, P)  # B has not heard the first, and A not what B was told
        await bluez.send(B, Q)
        assert (bluez.taken(A), bluez.taken(B), bluez.changes) == ([*long, *P], [*P, *Q], [])
        bluez.centrals.connected("CC:CC:CC:CC:CC:CC")  # a newcomer changes nothing for them
        assert bluez.notifier.mtu_for(A) == 517

    on_loop(body)


def test_whose_socket_was_closed_hears_the_packet_again_from_its_start() -> None:
    """bluez#1452: the end of one link closes the socket of another."""

    async def body(bluez: BlueZ) -> None:
        bluez.come(A, 517, with_socket=True)
        bluez.come(B, 185, with_socket=True)
        bluez.sockets[A].close()
        await bluez.send(A, P)
        assert bluez.changes == [*P]
        assert bluez.notifier.mtu_for(A) == notify_mtu(185)  # B hears it too from now on
        await bluez.send(A, (b"x" * frame_size(517),))
        assert bluez.changes == [*P]
        await bluez.send(B, Q)  # in one order with what it overhears
        assert (bluez.taken(B), bluez.changes) == ([], [*P, *Q])

    on_loop(body)


def test_a_long_packet_is_not_said_to_all_when_its_socket_goes() -> None:
    async def body(bluez: BlueZ) -> None:
        bluez.come(A, 517, with_socket=True)
        bluez.come(B, 23, with_socket=True)
        bluez.sockets[A].close()
        await bluez.send(A, (b"x" * frame_size(517),))
        assert bluez.changes == []

    on_loop(body)


def test_what_is_said_to_all_comes_after_what_is_in_the_sockets() -> None:
    async def body(bluez: BlueZ) -> None:
        bluez.come(A, with_socket=True)
        await bluez.send(A, P)
        bluez.come(B, with_socket=False)
        saying = asyncio.ensure_future(bluez.send(A, Q))
        await asyncio.sleep(0.05)
        assert bluez.changes == []
        assert bluez.taken(A) == [*P]
        await saying
        assert bluez.changes == [*Q]

    on_loop(body)


def test_what_goes_into_a_socket_waits_for_what_was_said_to_all() -> None:
    async def body(bluez: BlueZ) -> None:
        bluez.come(A, with_socket=False)
        await bluez.send(A, P)
        bluez.come(A, with_socket=True)
        assert bluez.waits == []
        await bluez.send(A, Q)
        assert bluez.waits == [{A: []}]
        assert bluez.taken(A) == [*Q]
        await bluez.send(A, P)
        assert len(bluez.waits) == 1

    on_loop(body)


def test_a_socket_that_is_lost_while_that_is_waited_for_is_not_used() -> None:
    async def body(bluez: BlueZ) -> None:
        bluez.come(A, with_socket=False)
        await bluez.send(A, P)
        bluez.come(A, with_socket=True)
        bluez.on_wait = lambda: bluez.notifier.gone(A)
        await bluez.send(A, Q)
        assert bluez.changes == [*P, *Q]

    on_loop(body)


def test_a_packet_for_all_is_said_once_where_all_hear_it() -> None:
    async def body(bluez: BlueZ) -> None:
        for address in (A, B):
            bluez.come(address, with_socket=False)
        for address in (A, B):
            await bluez.send(address, P)
        assert bluez.changes == [*P]

    on_loop(body)


def test_a_radio_that_is_gone_ends_the_link() -> None:
    async def body(bluez: BlueZ) -> None:
        bluez.come(A, with_socket=False)
        bluez.broken = True
        with pytest.raises(LinkError, match="bluetoothd is gone"):
            await bluez.send(A, P)

    on_loop(body)


def test_bounds_are_told_when_sockets_come_and_go() -> None:
    async def body(bluez: BlueZ) -> None:
        bluez.come(A, with_socket=True)
        assert bluez.bounds == 1
        bluez.sockets[A].close()
        await asyncio.sleep(0.01)
        assert bluez.bounds == 2

    on_loop(body)
