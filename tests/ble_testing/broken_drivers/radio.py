"""Drivers that do not cope with a radio that goes away."""

from __future__ import annotations

from typing import Any

from tests.contract.mock_rigs import SwitchedMockDriver

from .catalogue import caught_by


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
