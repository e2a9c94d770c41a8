"""Run checks one after the other; one that breaks is a finding as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from .finding import Finding, Status
from .host import Host

Check = Callable[[Host], Finding]


def run_checks(checks: Mapping[str, Check], host: Host) -> Iterator[tuple[str, Finding]]:
    """Yield what each check finds, under its name, as soon as it is found."""
    for name, check in checks.items():
        try:
            finding = check(host)
        except Exception as error:  # whatever a host can be like: the other checks go on
            text = f"this check broke on {type(error).__name__}: {error}"
            finding = Finding(Status.FAILED, text, "please report it, with this line")
        yield name, finding


def exit_code(findings: Mapping[str, Finding]) -> int:
    """Return 1 if anything failed, else 0."""
    return int(any(finding.status is Status.FAILED for finding in findings.values()))
