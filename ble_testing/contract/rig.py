"""What the contract suite needs of each kind of radio: nodes, time, and ways to make things go wrong."""

from __future__ import annotations

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, NoReturn

from ble_driver import BLEDriverInterface, SendQueueFull, VirtualDispatcher

from .node import Node
from .offering import not_offered

#: Bytes that no send queue may hold.
MUCH = 1_000_000
#: What happens instead of a step: the peer says no; nothing, and nobody says so; the radio link breaks.
FaultName = Literal["refuse", "hang", "drop"]
#: How far a central has come with a link. At the last step it is up at both ends, and this is its first frame.
StepName = Literal["connect", "mtu", "discovery", "identity", "subscribe", "handshake"]


class Rig(ABC):
    """One kind of radio, with as many nodes as a test wants (three at most).

    Only `make_driver` has to be written, on top of `RealTimeRig` or `VirtualTimeRig`. What else a rig offers is its own
    choice: a test that needs more is reported as "not offered by this rig", with the reason.

    Attributes:
        mtu: the ATT MTU, in bytes, on which two of its drivers agree, if that is known.
        mtu_is_chosen: drivers have the option `mtu`.
        names_linger: a name that was heard is reported until the device is forgotten, as on BlueZ.
        centrals_overhear: what is notified to one central may reach all of them, as on BlueZ.
        patience: how much longer things take than on a radio that is not emulated; the drivers that the rig makes have
            as much more time.
        virtual: time passes only while the rig waits, so that a thread cannot wait for the driver.
        node_type: what `node` returns.
    """

    mtu: int | None = None
    mtu_is_chosen = True
    names_linger = False
    centrals_overhear = False
    patience = 1.0
    virtual = False
    node_type: type[Node] = Node

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._numbers = itertools.count(1)

    # --- what a rig must offer ----------------------------------------------------------------------------------------

    @abstractmethod
    def make_driver(self, **options: Any) -> BLEDriverInterface:
        """Return a driver on the air that all drivers of this rig share.

        Args:
            **options: what a test asks for: `connect_timeout` in seconds, and `mtu` in bytes unless `mtu_is_chosen` is
                false.
        """

    @abstractmethod
    def time(self) -> float:
        """Return the time that passes here, in seconds."""

    @abstractmethod
    def settle(self, seconds: float) -> None:
        """Let time pass."""

    @abstractmethod
    def wait(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Let time pass until the condition holds; fail if it does not in `timeout` seconds."""

    # --- what a rig may offer -----------------------------------------------------------------------------------------

    def vanish(self, node: Node) -> None:
        """Take the node's battery out: it is gone without a word."""
        self.not_offered("a node that vanishes (vanish)")

    def strike(self, fault: FaultName, step: StepName, node: Node) -> None:
        """Let a fault happen at a step of every link that is dialled to the node, until `heal`."""
        self.not_offered("faults while a link is set up (strike)")

    def heal(self) -> None:
        """Let all go well again that `strike` made go wrong."""
        self.not_offered("faults that end (heal)")

    def radio_off(self, node: Node) -> None:
        """Take the radio away from under the node's driver; that of others may go with it."""
        self.not_offered("a radio that goes away (radio_off)")

    def radio_on(self, node: Node) -> None:
        """Give back what `radio_off` took."""
        self.not_offered("a radio that comes back (radio_on)")

    def change_mtu(self, node: Node, peer: Node, mtu: int) -> None:
        """Let the link between two nodes have another ATT MTU from now on."""
        self.not_offered("an MTU that changes while a link is up (change_mtu)")

    # --- what tests do with it ----------------------------------------------------------------------------------------

    def not_offered(self, what: str) -> NoReturn:
        """End the test that runs, and tell in the summary what this rig does not offer."""
        not_offered(what)

    def require_chosen_mtu(self) -> None:
        """For tests whose nodes have MTUs of their own."""
        if not self.mtu_is_chosen:
            self.not_offered("drivers with the option mtu (mtu_is_chosen)")

    def node(
        self, identity: bytes | None = None, *, anonymous: bool = False, start: bool = True, **options: Any
    ) -> Node:
        """Return a node that is started, unless told otherwise, with its radio up."""
        number = next(self._numbers)
        node = self.node_type(self.make_driver(**options), identity or bytes([number]) * 16)
        node.anonymous = anonymous
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

    def fill(self, sender: Node, receiver: Node, frame: bytes) -> int:
        """Send until the queue is full, and return how many frames it took; SendQueueFull must come before `MUCH`."""
        outcome: list[int | Exception] = []

        def send() -> None:  # on the dispatcher, so that nothing is sent meanwhile
            taken = 0
            try:
                while taken * len(frame) < MUCH:
                    sender.driver.send(receiver.address, frame)
                    taken += 1
            except SendQueueFull:
                outcome.append(taken)
            except Exception as error:
                outcome.append(error)
            else:
                outcome.append(AssertionError(f"{MUCH} bytes were queued, and SendQueueFull did not come"))

        sender.driver.dispatcher.call_soon(send)
        self.wait(lambda: outcome)
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def close(self) -> None:
        """Stop all nodes and say whether a rule for callbacks was broken."""
        for node in self.nodes:
            node.hooks.clear()
            node.stop()
        self.settle(0.02)  # for what comes too late
        assert [broken for node in self.nodes for broken in node.broken] == []


class VirtualTimeRig(Rig):
    """What rigs on virtual time share; drivers run on `dispatcher`."""

    virtual = True

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher = VirtualDispatcher()

    def time(self) -> float:
        return self.dispatcher.time()

    def settle(self, seconds: float) -> None:
        self.dispatcher.run_for(seconds)

    def wait(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        assert self.dispatcher.run_until(condition, timeout), _what_happened(self.nodes)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.dispatcher.close()


class RealTimeRig(Rig):
    """What rigs on real time share: they can only look and wait."""

    def time(self) -> float:
        return time.monotonic()

    def settle(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, _what_happened(self.nodes)
            time.sleep(0.005)


def _what_happened(nodes: list[Node]) -> str:
    return "; ".join(
        [f"{node.driver.local_address} reported last: {node.events[-10:]} {node.broken}" for node in nodes]
    )
