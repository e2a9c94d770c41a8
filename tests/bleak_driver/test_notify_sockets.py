"""Sockets to single centrals: what proves that they are private, and how their end is noticed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from drivers.bleak_driver.notify_sockets import NotifySockets, SocketLostError, make_pair

A, B = "AA:AA:AA:AA:AA:AA", "BB:BB:BB:BB:BB:BB"


class Sockets:
    """The driver's ends, bluetoothd's ends by central, and whose socket was lost."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.ours = NotifySockets(self.lost.append)
        self.theirs: dict[str, socket.socket] = {}

    def ask(self, address: str, mtu: int = 517) -> None:
        """Have bluetoothd ask for a socket."""
        if address in self.theirs:
            self.theirs[address].close()
        ours, self.theirs[address] = make_pair()
        self.theirs[address].setblocking(False)
        self.ours.add(address, ours, mtu)

    def close(self) -> None:
        self.ours.close()
        for theirs in self.theirs.values():
            theirs.close()


def on_loop(test: Callable[[Sockets], Coroutine[Any, Any, None]]) -> None:
    """Run a test on a loop of its own."""

    async def run() -> None:
        sockets = Sockets()
        try:
            await test(sockets)
        finally:
            sockets.close()

    asyncio.run(run())


def test_two_at_once_prove_that_each_is_private() -> None:
    async def body(sockets: Sockets) -> None:
        sockets.ask(A)
        assert not sockets.ours.are_private([A])
        sockets.ask(B)
        assert sockets.ours.are_private([A, B])
        sockets.ours.forget(B)
        assert not sockets.ours.are_private([A, B])
        assert sockets.ours.are_private([A])  # it is still the same bluetoothd

    on_loop(body)


@pytest.mark.parametrize("how", ["closed", "again", "forgotten"])
def test_one_after_the_other_proves_nothing(how: str) -> None:
    async def body(sockets: Sockets) -> None:
        sockets.ask(A)
        if how == "closed":
            sockets.theirs[A].close()  # and the news of the central's end is still on its way
        elif how == "forgotten":
            sockets.ours.forget(A)
        sockets.ask(A if how == "again" else B)
        assert not sockets.ours.proven

    on_loop(body)


def test_an_end_that_bluetoothd_closes_is_noticed_and_told_once() -> None:
    async def body(sockets: Sockets) -> None:
        sockets.ask(A)
        sockets.theirs[A].close()
        await asyncio.sleep(0.01)
        assert sockets.lost == [A]
        assert A not in sockets.ours
        sockets.ask(A)  # the next is another one
        await asyncio.sleep(0.01)
        assert sockets.lost == [A]
        assert A in sockets.ours

    on_loop(body)


def test_a_socket_that_is_gone_when_it_is_used_is_an_error() -> None:
    async def body(sockets: Sockets) -> None:
        sockets.ask(A)
        sockets.theirs[A].close()
        with pytest.raises(SocketLostError):
            await sockets.ours.send(A, [b"x"])
        assert sockets.lost == [A]

    on_loop(body)


def test_frames_stay_apart_wait_for_room_and_are_taken_before_drain_returns() -> None:
    async def body(sockets: Sockets) -> None:
        sockets.ask(A)
        frames = [bytes([number % 256]) * 510 for number in range(2000)]  # a megabyte: more than a socket holds
        sending = asyncio.ensure_future(sockets.ours.send(A, frames))
        await asyncio.sleep(0.01)
        assert not sending.done()
        taken: list[bytes] = []
        while len(taken) < len(frames):
            await asyncio.sleep(0)
            try:
                taken.append(sockets.theirs[A].recv(1000))
            except BlockingIOError:
                continue
        await sending
        assert taken == frames
        await sockets.ours.send(A, [b"last"])
        draining = asyncio.ensure_future(sockets.ours.drain())
        await asyncio.sleep(0.05)
        assert not draining.done()
        assert sockets.theirs[A].recv(10) == b"last"
        await asyncio.wait_for(draining, 1.0)

    on_loop(body)


@pytest.mark.parametrize("how", ["forgotten", "again", "closed"])
def test_who_waits_for_room_in_a_socket_is_told_at_once_when_it_goes(how: str) -> None:
    async def body(sockets: Sockets) -> None:
        sockets.ask(A)
        sending = asyncio.ensure_future(sockets.ours.send(A, [bytes(510)] * 2000))
        await asyncio.sleep(0.01)
        assert not sending.done()
        if how == "forgotten":
            sockets.ours.forget(A)
        elif how == "again":
            sockets.ask(A)
        else:
            sockets.ours.close()
        with pytest.raises(SocketLostError):
            await asyncio.wait_for(sending, 1.0)
        sockets.ask(B)  # whose socket has the number of the one that was closed
        await sockets.ours.send(B, [b"x"])
        assert sockets.theirs[B].recv(10) == b"x"
        sockets.theirs[B].close()
        await asyncio.sleep(0.01)
        assert B not in sockets.ours

    on_loop(body)
