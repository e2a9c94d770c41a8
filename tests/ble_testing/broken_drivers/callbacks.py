"""Drivers that call back wrongly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from drivers.mock_ble_driver.driver import MockLink
from tests.contract.mock_rigs import SwitchedMockDriver

from .catalogue import caught_by


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
