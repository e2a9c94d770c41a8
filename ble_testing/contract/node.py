"""A driver under test, and the watch over the rules that hold for every callback in every test."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from ble_driver import (
    BLEDevice,
    BLEDriverError,
    BLEDriverInterface,
    LinkError,
    check_mtu,
    normalise_address,
)

#: The service of the suite with its characteristics rx, tx and identity, as `start` takes them.
UUIDS = tuple(f"37145b00-442d-4a94-917f-8f42c5da28e{n}" for n in (3, 5, 4, 6))
#: An address that nobody has.
ABSENT = "02:00:00:00:00:99"
#: How many callbacks of each kind are tried for a lock; a thread for each would be slow.
PROBES = 2
#: Seconds that a driver has to answer another thread while a callback runs.
PROBE_TIMEOUT = 2.0


class Node:
    """A driver and everything it reported, in order.

    Attributes:
        driver: the driver under test.
        identity: the 16 bytes that it tells.
        anonymous: it tells no identity.
        stopped: it is not started, and must not report anything.
        events: name and details of each callback.
        broken: what it did that no callback may do; not empty, it fails the test.
        hooks: what a test does in a callback of one kind.
    """

    def __init__(self, driver: BLEDriverInterface, identity: bytes) -> None:
        self.driver = driver
        self.identity = identity
        self.anonymous = False
        self.events: list[tuple[Any, ...]] = []
        self.broken: list[str] = []
        self.hooks: dict[str, Callable[..., None]] = {}
        self._address: str | None = None
        self._inside = threading.Lock()
        self.stopped = True
        self._links: set[str] = set()
        self._probed: Counter[str] = Counter()
        driver.on_device_discovered = lambda device: self._record("discovered", device)
        driver.on_device_connected = lambda address, mtu: self._record("connected", address, mtu)
        driver.on_device_disconnected = lambda address: self._record("disconnected", address)
        driver.on_data_received = lambda address, data: self._record("data", address, data)
        driver.on_connection_failed = lambda address, error: self._record("failed", address, error)
        driver.on_mtu_changed = lambda address, mtu: self._record("mtu", address, mtu)
        driver.on_send_ready = lambda address: self._record("ready", address)
        driver.on_error = lambda error: self._record("error", error)

    # --- what a test does with it -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring it up with the service of the suite."""
        self.start_with(*UUIDS)

    def start_with(self, *uuids: str) -> None:
        """Bring it up with another service."""
        if not self.anonymous:
            self.driver.set_identity(self.identity)
        self.stopped = False
        self._links.clear()
        self.driver.start(*uuids)

    def stop(self) -> None:
        """Stop it; whatever it reports afterwards breaks the contract."""
        self.driver.stop()
        self.stopped = True

    @property
    def address(self) -> str:
        """The address that others see; also after the radio has gone."""
        self._address = self.driver.local_address or self._address
        assert self._address is not None
        return self._address

    def of(self, kind: str) -> list[list[Any]]:
        """Return the details of all events of one kind."""
        return [details for name, *details in list(self.events) if name == kind]

    def kinds(self, *but: str) -> list[str]:
        """Return what was reported, in order, without these kinds."""
        return [kind for kind, *_ in list(self.events) if kind not in but]

    def met(self, other: Node) -> bool:
        """Whether a link to the other node was reported."""
        return other.address in [address for address, _ in self.of("connected")]

    def mtu(self, other: Node) -> int:
        """Return the ATT MTU that was last reported of the link to the other node."""
        events = [event for event in list(self.events) if event[0] in ("connected", "mtu")]
        told: list[int] = [mtu for _, address, mtu in events if address == other.address]
        return told[-1]

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

    # --- the watch ----------------------------------------------------------------------------------------------------

    def _record(self, kind: str, *details: Any) -> None:
        if not self._inside.acquire(blocking=False):
            self.broken.append(f"{kind} was reported while another callback ran")
            return
        try:
            if self.stopped:
                self.broken.append(f"{kind} was reported after stop had returned")
            if not self.driver.dispatcher.is_current:
                self.broken.append(f"{kind} was not reported by the dispatcher")
            self._probed[kind] += 1
            if self._probed[kind] <= PROBES and not self.broken:
                self._look_for_a_lock(kind)
            self._look_at_order(kind, details)
            if (wrong := _wrong_details(kind, details)) is not None:
                self.broken.append(f"{kind} was reported with {wrong}")
            self.events.append((kind, *details))
            if (hook := self.hooks.get(kind)) is not None:
                hook(*details)
        finally:
            self._inside.release()

    def _look_for_a_lock(self, kind: str) -> None:
        """Ask the driver from another thread, which gets no answer while this one holds a lock."""
        prober = threading.Thread(target=self._ask, daemon=True)
        prober.start()
        prober.join(PROBE_TIMEOUT)
        if prober.is_alive():
            self.broken.append(f"{kind} was reported while the driver held a lock")

    def _ask(self) -> None:
        driver = self.driver
        with contextlib.suppress(BLEDriverError):
            _ = driver.connected_peers, driver.connecting_peers, driver.state, driver.peer_role(ABSENT)
            driver.send(ABSENT, b"?")

    def _look_at_order(self, kind: str, details: tuple[Any, ...]) -> None:
        if kind == "connected":
            if details[0] in self._links:
                self.broken.append(f"the link to {details[0]} was reported as connected twice")
            self._links.add(details[0])
        elif kind in ("disconnected", "data", "mtu", "ready") and details[0] not in self._links:
            self.broken.append(f"{kind} was reported of {details[0]}, to which no link was reported")
        if kind == "disconnected":
            self._links.discard(details[0])


def _wrong_details(kind: str, details: tuple[Any, ...]) -> str | None:
    """Return what is wrong with the arguments of a callback."""
    if kind == "discovered":
        (device,) = details
        if not isinstance(device, BLEDevice) or device.address != normalise_address(device.address):
            return f"{device!r}, which is no BLEDevice with an address like AA:BB:CC:DD:EE:FF"
        if device.rssi is not None and not -127 < device.rssi <= 20:
            return f"the RSSI {device.rssi!r}, which is no signal strength in dBm"
        return None
    if kind == "error":
        return None if isinstance(details[0], BLEDriverError) else f"{details[0]!r}, which is no BLEDriverError"
    if details[0] != normalise_address(details[0]):
        return f"the address {details[0]!r}, which is not spelt like AA:BB:CC:DD:EE:FF"
    if kind == "failed" and not isinstance(details[1], LinkError):
        return f"{details[1]!r}, which is no LinkError"
    if kind == "data" and (type(details[1]) is not bytes or not details[1]):
        return f"{details[1]!r}, which is no frame of bytes"
    if kind in ("connected", "mtu"):
        try:
            check_mtu(details[1])
        except BLEDriverError as error:
            return str(error)
    return None
