"""Drivers that lose, invent or mistake links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ble_driver import LinkError, Role
from drivers.mock_ble_driver import MockBLEDriver
from drivers.mock_ble_driver.driver import MockLink
from tests.contract.mock_rigs import SwitchedMockDriver

from .catalogue import caught_by


@caught_by("test_connect_is_a_no_op_while_connecting_or_connected")
class ConnectsAgain(SwitchedMockDriver):
    def connect(self, address: str) -> None:
        with self._lock:
            self._attempts.pop(address, None)
        super().connect(address)


@caught_by("test_connect_is_a_no_op_on_a_link_that_the_peer_dialled")
class ConnectFailsOnLink(SwitchedMockDriver):
    def connect(self, address: str) -> None:
        if address in self._links:
            self._dispatcher.call_soon(self._emit, self.on_connection_failed, address, LinkError("linked"))
        super().connect(address)


@caught_by("test_dialling_nobody_times_out")
class ConnectingForEver(SwitchedMockDriver):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ever: set[str] = set()

    def connect(self, address: str) -> None:
        super().connect(address)
        self._ever.add(address)

    @property
    def connecting_peers(self) -> list[str]:
        return [address for address in self._ever if address not in self.connected_peers]


@caught_by("test_stop_ends_an_attempt_without_a_report")
class ConnectingAfterStop(ConnectingForEver):
    @property
    def connecting_peers(self) -> list[str]:
        return super().connecting_peers if self._phase.name == "STOPPED" else list(self._attempts)


@caught_by("test_dialling_nobody_times_out")
class NeverTimesOut(SwitchedMockDriver):
    def __init__(self, *args: Any, connect_timeout: float = 10.0, **options: Any) -> None:
        super().__init__(*args, connect_timeout=connect_timeout, **options)
        self._connect_timeout = 3600.0


@caught_by("test_dialling_nobody_times_out")
class NamelessErrors(SwitchedMockDriver):
    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        if callback is self.on_connection_failed:
            args = (args[0], LinkError("something went wrong"))
        super()._emit(callback, *args)


@caught_by("test_an_attempt_can_be_given_up")
class AttemptsCannotBeGivenUp(SwitchedMockDriver):
    def disconnect(self, address: str) -> None:
        if address not in self._attempts:
            super().disconnect(address)


@caught_by("test_an_attempt_that_the_peer_forestalled")
class AttemptsStay(SwitchedMockDriver):
    @property
    def connecting_peers(self) -> list[str]:
        return self.connected_peers if Role.PERIPHERAL in map(self.peer_role, self.connected_peers) else []


@caught_by("test_a_link_is_reported_to_both_ends")
class AlwaysCentral(SwitchedMockDriver):
    def peer_role(self, address: str) -> Role | None:
        return Role.CENTRAL


@caught_by("test_a_link_is_reported_to_both_ends")
class NoIdentity(SwitchedMockDriver):
    def peer_identity(self, address: str) -> bytes | None:
        return None


@caught_by("test_a_peer_without_identity_refuses")
class TellsWhatItDoesNotHave(SwitchedMockDriver):
    def tell_identity(self) -> bytes | None:
        return self._identity or b"\0" * 16


@caught_by("test_a_copy_of_ourselves_is_refused")
class LinksToItself(SwitchedMockDriver):
    async def _open_link(self, address: str) -> MockLink:
        own, self._identity = self._identity, None
        try:
            return await super()._open_link(address)
        finally:
            self._identity = own


@caught_by("test_a_peer_without_our_characteristics_is_refused")
class LinksToStrangers(SwitchedMockDriver):
    async def _open_link(self, address: str) -> MockLink:
        own = self._uuids
        self._uuids = self.air._present[address]._uuids
        try:
            return await super()._open_link(address)
        finally:
            self._uuids = own


@caught_by("test_addresses_may_be_spelt_differently")
class OneSpellingOnly(SwitchedMockDriver):
    def connect(self, address: str) -> None:
        if isinstance(address, str) and address == address.upper():
            super().connect(address)


@caught_by("test_bad_calls_are_refused")
class AnyAddressWillDo(SwitchedMockDriver):
    def disconnect(self, address: str) -> None:
        try:
            super().disconnect(address)
        except ValueError:
            return


@caught_by("test_a_peer_that_vanishes_is_noticed")
class NoticesNothing(SwitchedMockDriver):
    def _cut(self, link: MockLink) -> None:
        link.other = None


@caught_by("test_a_fault_fails_the_attempt_once_and_leaves_nothing")
class KeepsHalfALink(SwitchedMockDriver):
    def _cut(self, link: MockLink) -> None:
        if link.role is Role.CENTRAL or self.air.faults.struck == 0:
            super()._cut(link)


@caught_by("test_a_new_mtu_is_told")
class HidesMTU(SwitchedMockDriver):
    def _report_mtu(self, link: MockLink, mtu: int) -> None:
        link.mtu = mtu


@caught_by("test_a_peer_that_does_not_advertise_takes_no_link")
class AlwaysConnectable(SwitchedMockDriver):
    async def _open_link(self, address: str) -> MockLink:
        peer = self.air._present.get(address)
        if peer is not None:
            self._dispatcher.call_later(0.01, self._let_in, address, peer)
        return await super()._open_link(address)

    def _let_in(self, address: str, peer: MockBLEDriver) -> None:
        for _, found in self.air._initiators.pop(address, ()):
            found.set_result(peer)


@caught_by("test_a_link_stays_when_scanning_and_advertising_end")
class LinkEndsWithAdvertising(SwitchedMockDriver):
    def stop_advertising(self) -> None:
        super().stop_advertising()
        for address in self.connected_peers:
            self.disconnect(address)


@caught_by("test_advertising_goes_on_after_a_link")
class AdvertisesForOneLink(SwitchedMockDriver):
    def _report_link(self, link: MockLink) -> bool:
        self._want_advertising = self._advertising = False
        return super()._report_link(link)
