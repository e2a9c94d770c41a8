"""What a rig cannot do is told at the end of a run, so that nobody takes it for done."""

from __future__ import annotations

from typing import NoReturn

import pytest

#: How a run counts and tells such tests.
NOT_OFFERED = "not offered by this rig"


def not_offered(what: str) -> NoReturn:
    """End the test that runs: the rig does not offer what it needs."""
    pytest.skip(f"{NOT_OFFERED}: {what}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """Return what was not offered, if that is why a test ended."""
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return None
    _, marker, what = report.longrepr[2].partition(f"{NOT_OFFERED}: ")
    return what if marker else None


def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
    return (NOT_OFFERED, "n", NOT_OFFERED.upper()) if _reason(report) is not None else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.stats.get(NOT_OFFERED, [])
    if reports:
        terminalreporter.write_sep("=", NOT_OFFERED)
    for report in reports:
        terminalreporter.write_line(f"{report.nodeid}: {_reason(report)}")
