"""One broken driver for each rule of the contract: the mock driver with a single thing wrong.

Each says which test of the suite it must not get past.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ble_driver import AddressType, BLEDevice, DriverState, LinkError, Role, SendQueueFull, frame_size
from ble_driver.interface import Bytes
from ble_driver.links import Packet, SendQueue
from drivers.mock_ble_driver import MockBLEDriver
from drivers.mock_ble_driver.driver import MockLink
from tests.contract.mock_rigs import SwitchedMockDriver

#: Name of each broken driver, and the test that finds it out.
CAUGHT_BY: dict[type[SwitchedMockDriver], str] = {}


def caught_by(test: str) -> Callable[[type[SwitchedMockDriver]], type[SwitchedMockDriver]]:
    def note(cls: type[SwitchedMockDriver]) -> type[SwitchedMockDriver]:
        CAUGHT_BY[cls] = test
        return cls

    return note


# --- callbacks --------------------------------------------------------------------------------------------------------


@caught_by("test_a_link_is_reported_to_both_ends")
class ConnectedTwice(SwitchedMockDriver):
    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        super()._emit(callback, *args)
        if callback is self.on_device_connected:
            super()._emit(callback, *args)


@caught_by("test_a_link_that_is_ended_many_times_ends_once")
class DisconnectedTwice(SwitchedMockDriver):
    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        super()._emit(callback, *args)
        if callback is self.on_device_disconnected:
            self.air.dispatcher.call_later(0.1, super()._emit, callback, *args)


@caught_by("test_dialling_nobody_times_out")
class FailedTwice(SwitchedMockDriver):
    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        super()._emit(callback, *args)
        if callback is self.on_connection_failed:
            self.air.dispatcher.call_later(0.1, super()._emit, callback, *args)


@caught_by("test_a_link_is_reported_to_both_ends")
class ConnectedUnreported(SwitchedMockDriver):
    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        if callback is not self.on_device_connected:
            super()._emit(callback, *args)


@caught_by("test_a_link_is_reported_to_both_ends")
class CallbackUnderLock(SwitchedMockDriver):
    """Its lock may be taken again by the thread that has it: only another one finds it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._gate = threading.RLock()
        super().__init__(*args, **options)

    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        with self._gate:
            super()._emit(callback, *args)

    @property
    def connected_peers(self) -> list[str]:
        with self._gate:
            return super().connected_peers


@caught_by("test_a_scanner_hears_an_advertiser")
class CallbackOnAnotherThread(SwitchedMockDriver):
    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        thread = threading.Thread(target=super()._emit, args=(callback, *args))
        thread.start()
        thread.join()


@caught_by("test_no_callback_comes_inside_a_method_call")
class CallbackInsideMethod(SwitchedMockDriver):
    def disconnect(self, address: str) -> None:
        super().disconnect(address)
        link = self._links.get(address)
        if link is not None and self.dispatcher.is_current:
            self._report_link_lost(link)


@caught_by("test_what_is_reported_is_so_already")
class ReportsTooEarly(SwitchedMockDriver):
    @property
    def connected_peers(self) -> list[str]:
        return [] if self.dispatcher.is_current else super().connected_peers


@caught_by("test_a_callback_that_raises_harms_nothing")
class CallbackMayNotRaise(SwitchedMockDriver):
    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        if callback is not None and self._reporting:
            callback(*args)


@caught_by("test_a_failure_that_is_met_with_an_error")
class ErrorsOfCallbacksAreHidden(SwitchedMockDriver):
    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        try:
            if callback is not None and self._reporting:
                callback(*args)
        except Exception:
            return


@caught_by("test_nobody_has_to_listen")
class NeedsListeners(SwitchedMockDriver):
    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        assert callback is not None
        super()._emit(callback, *args)


@caught_by("test_methods_return_at_once")
class ConnectBlocks(SwitchedMockDriver):
    def connect(self, address: str) -> None:
        super().connect(address)
        time.sleep(0.6)


@caught_by("test_frames_arrive_in_order")
class DataOfAnotherType(SwitchedMockDriver):
    def _report_frame(self, link: MockLink, frame: bytes) -> None:
        super()._report_frame(link, bytearray(frame))  # type: ignore[arg-type]


# --- life -------------------------------------------------------------------------------------------------------------


@caught_by("test_stop_reports_the_links_as_gone_and_nothing_after")
class CallbackAfterStop(SwitchedMockDriver):
    def stop(self) -> None:
        links, callback = self.connected_peers, self.on_device_disconnected
        super().stop()
        for address in links:
            assert callback is not None
            self.air.dispatcher.call_later(0.05, callback, address)


@caught_by("test_stop_reports_the_links_as_gone_and_nothing_after")
class StopIsSilent(SwitchedMockDriver):
    def stop(self) -> None:
        self._reporting = False
        super().stop()


@caught_by("test_stop_is_idempotent")
class StopsOnce(SwitchedMockDriver):
    def stop(self) -> None:
        assert self._uuids is not None
        super().stop()
        self._uuids = None


@caught_by("test_stop_is_idempotent")
class StartsOnce(SwitchedMockDriver):
    _was_started = False

    def start(self, *uuids: str) -> None:
        assert not self._was_started
        super().start(*uuids)
        self._was_started = True


@caught_by("test_stop_leaves_no_thread")
class StopLeavesThread(SwitchedMockDriver):
    def start(self, *uuids: str) -> None:
        super().start(*uuids)
        threading.Thread(target=threading.Event().wait, args=(15.0,), daemon=True).start()


@caught_by("test_stop_leaves_no_task")
class StopLeavesTask(SwitchedMockDriver):
    def _finish_stop(self) -> None:
        super()._finish_stop()
        self.air.dispatcher.call_soon(lambda: self.air.dispatcher.spawn(self._for_ever()))

    async def _for_ever(self) -> None:
        await asyncio.sleep(1000)


@caught_by("test_stop_leaves_no_open_file")
class StopLeavesFile(SwitchedMockDriver):
    files: list[Any] = []  # noqa: RUF012 - what leaks is shared

    async def _open_radio(self) -> None:
        self.files.append(open("/dev/null", "rb"))  # noqa: ASYNC230, SIM115
        await super()._open_radio()


@caught_by("test_stop_is_quick_whatever_hangs")
class StopIsSlow(SwitchedMockDriver):
    def stop(self) -> None:
        if self._attempts:
            self.air.dispatcher.run(asyncio.sleep(6), 10)
        super().stop()


@caught_by("test_stop_leaves_no_advertisement")
class StopLeavesAdvertisement(SwitchedMockDriver):
    async def _close_radio(self) -> None:
        """It stays on the air."""

    @property
    def is_advertising(self) -> bool:
        return True


@caught_by("test_a_driver_that_was_stopped_forgets")
class StopForgetsNothing(SwitchedMockDriver):
    def stop(self) -> None:
        wanted = self._want_scanning
        super().stop()
        self._want_scanning = wanted


@caught_by("test_a_callback_may_stop_the_driver")
class StopInCallbackReports(SwitchedMockDriver):
    def stop(self) -> None:
        inside = self.dispatcher.is_current
        links, callback = self.connected_peers, self.on_device_disconnected
        super().stop()
        if inside and callback is not None:
            for address in links:
                self.air.dispatcher.call_soon(callback, address)


@caught_by("test_start_and_identity_refuse_nonsense")
class StartsTwice(SwitchedMockDriver):
    def start(self, *uuids: str) -> None:
        if self._uuids is None:
            super().start(*uuids)


@caught_by("test_the_identity_may_be_set_at_any_time_and_is_copied")
class IdentityIsNotCopied(SwitchedMockDriver):
    def set_identity(self, identity_bytes: Bytes) -> None:
        super().set_identity(identity_bytes)
        self._kept = identity_bytes

    def tell_identity(self) -> bytes | None:
        return bytes(self._kept)


@caught_by("test_what_is_asked_for_right_after_start")
class ForgetsWhatCameEarly(SwitchedMockDriver):
    def _want(self, scanning: bool | None, advertising: bool | None, name: str | None) -> None:
        if self._radio_up.is_set():
            super()._want(scanning, advertising, name)


# --- being found and finding ------------------------------------------------------------------------------------------


@caught_by("test_other_services_are_not_reported")
class HearsOtherServices(SwitchedMockDriver):
    def hear(self, sender: MockBLEDriver, rssi: int) -> None:
        self._report_device(BLEDevice(sender.address, None, rssi, sender.local_address_type))


@caught_by("test_an_advertisement_tells")
class HidesName(SwitchedMockDriver):
    def hear(self, sender: MockBLEDriver, rssi: int) -> None:
        self._report_device(BLEDevice(sender.address, None, rssi, AddressType.PUBLIC))


@caught_by("test_an_advertisement_tells")
class NonsenseRSSI(SwitchedMockDriver):
    def hear(self, sender: MockBLEDriver, rssi: int) -> None:
        super().hear(sender, -127)


@caught_by("test_a_scanner_hears_an_advertiser")
class AdvertisesOn(SwitchedMockDriver):
    @property
    def is_advertising(self) -> bool:
        return self._advertising or self._advertised

    _advertised = False

    async def _set_advertising(self, on: bool) -> None:
        self._advertised = True
        await super()._set_advertising(on)


@caught_by("test_a_scanner_hears_an_advertiser")
class ScansOn(SwitchedMockDriver):
    def _report_device(self, device: BLEDevice) -> None:
        self._emit(self.on_device_discovered, device)

    @property
    def is_listening(self) -> bool:
        return True


@caught_by("test_state_says_what_the_radio_does")
class StateIsIdle(SwitchedMockDriver):
    @property
    def state(self) -> DriverState:
        return DriverState.IDLE


@caught_by("test_a_node_does_not_hear_itself")
class HearsItself(SwitchedMockDriver):
    async def _set_scanning(self, on: bool) -> None:
        self.air.dispatcher.call_later(0.3, self.hear, self, -50)


@caught_by("test_a_name_that_does_not_fit_is_refused")
class AnyNameWillDo(SwitchedMockDriver):
    def start_advertising(self, device_name: str | None = None) -> None:
        super().start_advertising(device_name[:8] if device_name is not None else None)


# --- links ------------------------------------------------------------------------------------------------------------


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


# --- frames -----------------------------------------------------------------------------------------------------------


@caught_by("test_a_full_queue_refuses_says_when_and_loses_nothing")
class DropsWhatIsTooMuch(SwitchedMockDriver):
    def send(self, address: str, data: Bytes) -> None:
        try:
            super().send(address, data)
        except SendQueueFull:
            return


class _Unbounded(SendQueue):
    def offer(self, packet: Packet, bound: int) -> bool:
        return super().offer(packet, 1 << 30)


@caught_by("test_a_full_queue_refuses_says_when_and_loses_nothing")
class QueuesForEver(SwitchedMockDriver):
    async def _open_link(self, address: str) -> MockLink:
        link = await super()._open_link(address)
        link.queue = _Unbounded()
        return link


@caught_by("test_a_full_queue_refuses_says_when_and_loses_nothing")
class NeverReady(SwitchedMockDriver):
    def _emit(self, callback: Callable[..., Any] | None, *args: object) -> None:
        if callback is not self.on_send_ready:
            super()._emit(callback, *args)


@caught_by("test_nobody_is_told_of_room_who_was_not_refused")
class AlwaysReady(SwitchedMockDriver):
    async def _transmit(self, link: MockLink, frame: bytes, acknowledged: bool) -> None:
        await super()._transmit(link, frame, acknowledged)
        self._emit(self.on_send_ready, link.address)


@caught_by("test_the_largest_frame_passes_both_ways")
class CutsWhatIsTooLong(SwitchedMockDriver):
    def send(self, address: str, data: Bytes) -> None:
        link = self._links.get(address)
        super().send(address, data[: link.frame_size] if link is not None and isinstance(data, bytes) else data)


@caught_by("test_a_packet_for_several_fits_the_smallest_of_them")
class ForgetsTheSmallest(SwitchedMockDriver):
    def send_frames(self, addresses: Sequence[str], frames: Sequence[Bytes]) -> list[str]:
        for address in addresses:
            limit = frame_size(self._links[address].mtu)
            super().send_frames([address], [frame[:limit] for frame in frames])
        return []


@caught_by("test_the_frames_of_a_packet_are_queued_whole")
class QueuesHalfPackets(SwitchedMockDriver):
    def send_frames(self, addresses: Sequence[str], frames: Sequence[Bytes]) -> list[str]:
        full: dict[str, None] = {}
        for frame in frames:
            full.update(dict.fromkeys(super().send_frames(addresses, [frame])))
        return list(full)


@caught_by("test_what_cannot_be_sent_is_refused_at_once")
class FramesAreNotCopied(SwitchedMockDriver):
    def send(self, address: str, data: Bytes) -> None:
        if isinstance(data, bytearray):
            self._dispatcher.call_later(0.01, super().send, address, data)
        else:
            super().send(address, data)


@caught_by("test_a_frame_is_whatever_is_plainly_bytes")
class BytesOnly(SwitchedMockDriver):
    def send_frames(self, addresses: Sequence[str], frames: Sequence[Bytes]) -> list[str]:
        assert all(isinstance(frame, bytes) for frame in frames)
        return super().send_frames(addresses, frames)


@caught_by("test_frames_arrive_in_order")
class ReordersFrames(SwitchedMockDriver):
    _held: bytes | None = None

    def _report_frame(self, link: MockLink, frame: bytes) -> None:
        if len(frame) == 20 and self._held is None:
            self._held = frame
            return
        super()._report_frame(link, frame)
        if self._held is not None:
            held, self._held = self._held, None
            super()._report_frame(link, held)


@caught_by("test_frames_arrive_in_order")
class LosesFrames(SwitchedMockDriver):
    def _report_frame(self, link: MockLink, frame: bytes) -> None:
        if frame[:1] != b"\x07":
            super()._report_frame(link, frame)


@caught_by("test_frames_arrive_in_order")
class RepeatsFrames(SwitchedMockDriver):
    def _report_frame(self, link: MockLink, frame: bytes) -> None:
        super()._report_frame(link, frame)
        if frame[:1] == b"\x07":
            super()._report_frame(link, frame)


@caught_by("test_one_peripheral_keeps_several_centrals_apart")
class MixesPeersUp(SwitchedMockDriver):
    def _report_frame(self, link: MockLink, frame: bytes) -> None:
        super()._report_frame(next(iter(self._links.values()), link), frame)


@caught_by("test_a_link_that_is_ended_many_times_ends_once")
class DataAfterDisconnected(SwitchedMockDriver):
    def _report_link_lost(self, link: MockLink) -> None:
        super()._report_link_lost(link)
        self._emit(self.on_data_received, link.address, b"late")


@caught_by("test_frames_that_wait_end_with_their_link")
class KeepsOldFrames(SwitchedMockDriver):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._queues: dict[str, SendQueue] = {}

    async def _open_link(self, address: str) -> MockLink:
        link = await super()._open_link(address)
        link.queue = self._queues.setdefault(address, link.queue)
        link.queue.draining = False
        return link


# --- a radio that goes away -------------------------------------------------------------------------------------------


@caught_by("test_a_radio_that_is_not_there_is_complained_of_once")
class ComplainsAgainAndAgain(SwitchedMockDriver):
    def _report_error(self, error: Any) -> None:
        self._last_error = None
        super()._report_error(error)


@caught_by("test_a_radio_that_is_not_there_is_complained_of_once")
class GivesUpItsRadio(SwitchedMockDriver):
    def _report_error(self, error: Any) -> None:
        super()._report_error(error)
        self._want_scanning = False


@caught_by("test_a_radio_that_goes_away_takes_its_links")
class LinksOutliveTheRadio(SwitchedMockDriver):
    def switch(self, off: bool) -> None:
        links, self._links = self._links, {}
        super().switch(off)
        self._links.update(links)


@caught_by("test_an_attempt_without_a_radio_ends_in_time")
class WaitsForTheRadio(SwitchedMockDriver):
    def connect(self, address: str) -> None:
        if not self.off:
            super().connect(address)
