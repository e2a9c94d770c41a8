"""What a rig cannot do is told at the end of a run, so that nobody takes it for done."""

from __future__ import annotations

from collections import defaultdict
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
    tests: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get(NOT_OFFERED, []):
        tests[str(_reason(report))].append(report.nodeid)
    if tests:
        terminalreporter.write_sep("=", NOT_OFFERED)
    for what, names in tests.items():
        terminalreporter.write_line(f"{what}: {len(names)} tests, the first of them {names[0]}")
