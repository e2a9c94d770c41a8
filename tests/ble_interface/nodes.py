"""Interfaces on mock radios in virtual time, with an owner that writes down what it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ble_driver import VirtualDispatcher
from ble_driver.interface import Bytes
from ble_interface import IDENTITY_CHAR_UUID, RX_CHAR_UUID, TX_CHAR_UUID, BLEInterface, BLEPeerInterface
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir

#: The characteristics as a driver is told of them, after the service.
CHARACTERISTICS = RX_CHAR_UUID, TX_CHAR_UUID, IDENTITY_CHAR_UUID


class Stack:
    """An owner, its interface and its radio."""

    def __init__(self, air: VirtualAir, name: str, driver_options: dict[str, Any], settings: dict[str, Any]) -> None:
        self.identity = name.encode().ljust(16, b".")
        self.driver = MockBLEDriver(air, **driver_options)
        self.interface = BLEInterface(self, name, self.driver, **settings)
        self.interface.on_peer_connected = lambda peer: self.news.append(("up", peer))
        self.interface.on_peer_disconnected = lambda peer: self.news.append(("down", peer))
        self.received: list[tuple[bytes, BLEPeerInterface]] = []
        self.news: list[tuple[str, BLEPeerInterface]] = []
        self.on_packet: Callable[[bytes, BLEPeerInterface], None] | None = None

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Take a packet, as any owner does."""
        self.received.append((packet, peer))
        if self.on_packet is not None:
            self.on_packet(packet, peer)

    @property
    def packets(self) -> list[bytes]:
        """The packets that arrived, without their senders."""
        return [packet for packet, _ in self.received]

    def peer(self, other: Stack) -> BLEPeerInterface:
        """Return the peer that the other stack is to this one."""
        (peer,) = [peer for peer in self.interface.peers if peer.identity == other.identity]
        return peer

    def linked_to(self, other: Stack) -> bool:
        """Whether the other stack is a peer now."""
        return other.identity in {peer.identity for peer in self.interface.peers}


class World:
    """Some stacks on one air, and time."""

    def __init__(self) -> None:
        self.dispatcher = VirtualDispatcher()
        self.air = VirtualAir(self.dispatcher)
        self.stacks: list[Stack] = []

    def stack(self, name: str, start: bool = True, driver: dict[str, Any] | None = None, **settings: Any) -> Stack:
        """Return a new stack, started unless told otherwise."""
        stack = Stack(self.air, name, driver or {}, settings)
        self.stacks.append(stack)
        if start:
            stack.interface.start(stack.identity)
        return stack

    def pair(self, **settings: Any) -> tuple[Stack, Stack]:
        """Return two stacks that are linked."""
        alice, bob = self.stack("alice", **settings), self.stack("bob", **settings)
        self.wait(lambda: alice.linked_to(bob) and bob.linked_to(alice))
        return alice, bob

    def wait(self, condition: Callable[[], object], timeout: float = 60.0) -> None:
        """Let time pass until the condition holds; fail if it does not."""
        assert self.dispatcher.run_until(condition, timeout)

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        self.dispatcher.run_for(seconds)


class Tap(MockBLEDriver):
    """A mock radio that writes down what is sent."""

    def __init__(self, air: VirtualAir) -> None:
        super().__init__(air)
        self.sent: list[tuple[str, bytes]] = []
        self.dialled: list[tuple[float, str]] = []

    def send_frames(self, addresses: Sequence[str], frames: Sequence[Bytes]) -> list[str]:
        full = super().send_frames(addresses, frames)
        self.sent += [(address, bytes(frame)) for address in addresses if address not in full for frame in frames]
        return full

    def connect(self, address: str) -> None:
        self.dialled.append((self.dispatcher.time(), address))
        super().connect(address)


@contextmanager
def a_world() -> Iterator[World]:
    """A world whose stacks are stopped at its end."""
    world = World()
    try:
        yield world
        for stack in world.stacks:
            stack.interface.stop()
    finally:
        world.dispatcher.close()


def a_radio(world: World) -> MockBLEDriver:
    """Return a started radio that keeps to no protocol by itself."""
    radio = MockBLEDriver(world.air)
    radio.set_identity(b"a bare radio, 16")
    service = world.stacks[0].interface.settings.service_uuid
    radio.start(service, *CHARACTERISTICS)
    return radio


def dial(world: World, radio: MockBLEDriver, target: Stack) -> None:
    """Link a bare radio to a stack."""
    radio.connect(target.driver.address)
    world.wait(lambda: target.driver.address in radio.connected_peers)


def states(stack: Stack) -> dict[str, int]:
    """Return how many links a stack has in each state."""
    return stack.interface.get_status()["links"]
