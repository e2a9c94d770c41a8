"""The service together with those who watch it: turns changes into messages."""

from __future__ import annotations

from typing import Any, Protocol

from .schemas import DeviceUpdateMessage, HappeningStatus, LockUpdateMessage, StatusMessage, device_status
from .schemas import happening_fields as fields_of
from .service import CoordinationService
from .store import FeedEntry
from .watchers import Watchers

#: Happenings that a status tells of.
RECENT = 50


class MakeService(Protocol):
    """Makes the service with its two callbacks."""

    def __call__(self, *, on_entry: Any, on_resync: Any) -> CoordinationService: ...


class Reports:
    """A service, and the WebSockets that are told what it learns.

    Args:
        make_service: makes the service with its two callbacks.
    """

    def __init__(self, make_service: MakeService) -> None:
        self.watchers = Watchers(self.status_text)
        self.service = make_service(on_entry=self._on_entry, on_resync=self.watchers.tell_everything)

    def status_text(self, kind: str) -> str:
        """Return the message with the state of everything, as this instance knows it."""
        feed, now = self.service.feed, self.service.store.now()
        message = StatusMessage(
            type=kind,  # type: ignore[arg-type]
            version=feed.version,
            devices=[device_status(lock, now) for lock in feed.locks.values()],
            recent=[HappeningStatus(**fields_of(told)) for told in list(feed.history)[-RECENT:]],  # type: ignore[arg-type]
        )
        return message.model_dump_json()

    def _on_entry(self, entry: FeedEntry) -> None:
        if not len(self.watchers):
            return
        device = device_status(entry.lock, self.service.store.now())
        for told in entry.told:
            update = LockUpdateMessage(device=device, **fields_of(told))  # type: ignore[arg-type]
            self.watchers.tell(update.model_dump_json())
        if not entry.told:
            self.watchers.tell(DeviceUpdateMessage(version=entry.version, device=device).model_dump_json())
