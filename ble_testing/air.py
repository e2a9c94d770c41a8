"""The air of a test: what the fixture `ble_air` hands out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ble_driver import VirtualDispatcher
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir


class Air(VirtualAir):
    """A `VirtualAir` on virtual time that a test drives, and that stops what the test has started.

        def test_two_nodes_link(ble_air):
            alice, bob = MyStack(ble_air.driver()), MyStack(ble_air.driver(mtu=185))
            ble_air.wait(lambda: alice.peers and bob.peers)

    Args:
        seed: of everything that happens by chance. Same seed, same run.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._clock = VirtualDispatcher()
        super().__init__(self._clock, seed=seed)
        self._drivers: list[MockBLEDriver] = []

    def driver(self, **options: Any) -> MockBLEDriver:
        """Return a new node on this air, which the stack under test starts; `options` are those of `MockBLEDriver`."""
        driver = MockBLEDriver(self, **options)
        self._drivers.append(driver)
        return driver

    def run_for(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass."""
        self._clock.run_for(seconds)

    def wait(self, condition: Callable[[], object], timeout: float = 60.0) -> None:
        """Let virtual time pass until `condition()` is true; fail if it is not within `timeout` seconds of it."""
        if not self._clock.run_until(condition, timeout):
            raise AssertionError(f"it did not happen within {timeout:g} s of virtual time")

    def close(self) -> None:
        """Stop all drivers and free the dispatcher."""
        for driver in self._drivers:
            driver.stop()
        self._clock.close()

    def __enter__(self) -> Air:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
