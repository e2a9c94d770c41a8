"""Drivers that lose, change, mix up or hoard frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ble_driver import SendQueueFull, frame_size
from ble_driver.interface import Bytes
from ble_driver.links import Packet, SendQueue
from drivers.mock_ble_driver.driver import MockLink
from tests.contract.mock_rigs import SwitchedMockDriver

from .catalogue import caught_by


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
