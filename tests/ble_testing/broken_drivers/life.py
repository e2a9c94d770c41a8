"""Drivers that do not start, stop or remember as they should."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from ble_driver.interface import Bytes
from tests.contract.mock_rigs import SwitchedMockDriver

from .catalogue import caught_by


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
