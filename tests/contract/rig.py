"""What the contract suite needs of each kind of radio: nodes, time, and a way to make one vanish."""

from __future__ import annotations

import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ble_driver import BaseDriver, BLEDevice, BLEDriverError, LinkError, VirtualDispatcher
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir

UUIDS = tuple(f"37145b00-442d-4a94-917f-8f42c5da28e{n}" for n in (3, 5, 4, 6))

AnyDriver = BaseDriver[Any]


class Node:
    """A driver and everything it reported, in order. Watches the rules that hold for every callback."""

    def __init__(self, driver: AnyDriver, identity: bytes) -> None:
        self.driver = driver
        self.identity = identity
        self.events: list[tuple[Any, ...]] = []
        self.broken: list[str] = []
        self._address: str | None = None
        self.hooks: dict[str, Callable[..., None]] = {}
        self._inside = threading.Lock()
        driver.on_device_discovered = lambda device: self._record("discovered", device)
        driver.on_device_connected = lambda address, mtu: self._record("connected", address, mtu)
        driver.on_device_disconnected = lambda address: self._record("disconnected", address)
        driver.on_data_received = lambda address, data: self._record("data", address, data)
        driver.on_connection_failed = lambda address, error: self._record("failed", address, error)
        driver.on_mtu_changed = lambda address, mtu: self._record("mtu", address, mtu)
        driver.on_send_ready = lambda address: self._record("ready", address)
        driver.on_error = lambda error: self._record("error", error)
        driver.set_identity(identity)

    def _record(self, kind: str, *details: Any) -> None:
        if not self._inside.acquire(blocking=False):
            self.broken.append(f"{kind} was reported while another callback ran")
            return
        try:
            if not self.driver.dispatcher.is_current:
                self.broken.append(f"{kind} was not reported by the dispatcher")
            if not self.driver._lock.acquire(timeout=1.0):
                self.broken.append(f"{kind} was reported while the driver's lock was held")
            else:
                self.driver._lock.release()
            self.events.append((kind, *details))
            if (hook := self.hooks.get(kind)) is not None:
                hook(*details)
        finally:
            self._inside.release()

    def start(self) -> None:
        self.driver.start(*UUIDS)

    @property
    def address(self) -> str:
        """The address that others see; also after the radio has gone."""
        self._address = self.driver.local_address or self._address
        assert self._address is not None
        return self._address

    def of(self, kind: str) -> list[list[Any]]:
        """Return the details of all events of one kind."""
        return [details for name, *details in list(self.events) if name == kind]

    def met(self, other: Node) -> bool:
        """Whether a link to the other node was reported."""
        return other.address in [address for address, _ in self.of("connected")]

    def data(self, address: str) -> list[bytes]:
        """Return the frames that came from one peer."""
        return [data for sender, data in self.of("data") if sender == address]

    def devices(self) -> dict[str, BLEDevice]:
        """Return the last advertisement of each device that was discovered."""
        return {device.address: device for (device,) in self.of("discovered")}

    def failures(self) -> list[LinkError]:
        """Return why attempts failed, in order."""
        return [error for _, error in self.of("failed")]

    def errors(self) -> list[BLEDriverError]:
        """Return the problems that the radio had."""
        return [error for (error,) in self.of("error")]


class Rig(ABC):
    """One kind of radio, with as many nodes as a test wants.

    Attributes:
        mtu_is_chosen: drivers have the option `mtu`.
        centrals_overhear: what is notified to one central reaches all of them (PROTOCOL.md, BlueZ facts).
        node_type: what `node` returns.
    """

    mtu_is_chosen = True
    centrals_overhear = False
    node_type: type[Node] = Node

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._numbers = itertools.count(1)

    @abstractmethod
    def make_driver(self, **options: Any) -> AnyDriver:
        """Return a driver on the air that all drivers of this rig share."""

    @abstractmethod
    def settle(self, seconds: float) -> None:
        """Let time pass."""

    @abstractmethod
    def wait(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Let time pass until the condition holds; fail if it does not in `timeout` seconds."""

    @abstractmethod
    def vanish(self, node: Node) -> None:
        """Take the node's battery out."""

    def node(self, identity: bytes | None = None, start: bool = True, **options: Any) -> Node:
        """Return a node that is started, unless told otherwise, with its radio up."""
        number = next(self._numbers)
        node = self.node_type(self.make_driver(**options), identity or bytes([number]) * 16)
        self.nodes.append(node)
        if start:
            node.start()
            self.wait(lambda: node.driver.local_address is not None)
        return node

    def link(self, central: Node, peripheral: Node) -> None:
        """Connect two nodes."""
        peripheral.driver.start_advertising()
        central.driver.connect(peripheral.address)
        self.wait(lambda: central.met(peripheral) and peripheral.met(central))

    def close(self) -> None:
        """Stop all nodes and say whether a rule for callbacks was broken."""
        for node in self.nodes:
            node.hooks.clear()
            node.driver.stop()
        assert [broken for node in self.nodes for broken in node.broken] == []


class VirtualMockRig(Rig):
    """Mock radios on virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher = VirtualDispatcher()
        self.air = VirtualAir(self.dispatcher)

    def make_driver(self, **options: Any) -> AnyDriver:
        return MockBLEDriver(self.air, **options)

    def settle(self, seconds: float) -> None:
        self.dispatcher.run_for(seconds)

    def wait(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        assert self.dispatcher.run_until(condition, timeout)

    def vanish(self, node: Node) -> None:
        assert isinstance(node.driver, MockBLEDriver)
        node.driver.vanish()

    def close(self) -> None:
        super().close()
        self.dispatcher.close()


class RealTimeRig(Rig):
    """What rigs on real time share: they can only look and wait."""

    def settle(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, [(node.driver.local_address, node.events[-10:]) for node in self.nodes]
            time.sleep(0.005)


class RealMockRig(RealTimeRig):
    """Mock radios on real time: the same code with threads in it."""

    def __init__(self) -> None:
        super().__init__()
        self.air = VirtualAir(advertising_interval=0.02, connect_delay=0.01, frame_time=0.0005)

    def make_driver(self, **options: Any) -> AnyDriver:
        return MockBLEDriver(self.air, **options)

    def vanish(self, node: Node) -> None:
        assert isinstance(node.driver, MockBLEDriver)
        self.air.dispatcher.call_soon(node.driver.vanish)
