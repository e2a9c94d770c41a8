"""What holds for all tests."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from ble_interface import states

# bumble needs Python 3.11: below, what stands on it has nothing to stand on.
collect_ignore = (
    ["bumble_driver", "bumble_radio", "demo", "examples", "reticulum"] if sys.version_info < (3, 11) else []
)

# Programs that tests start are to end on Ctrl-C, also where this run was itself started to ignore it (sh: `… &`): what
# is ignored is so for children as well, what has a handler is not.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test may fail because the machine is busy.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def no_illegal_transition(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a test a link that goes where it may not raises, and fails the test even if somebody logs what is raised."""
    seen: list[states.IllegalTransitionError] = []

    def fail(error: states.IllegalTransitionError) -> None:
        seen.append(error)
        raise error

    monkeypatch.setattr(states, "on_illegal", fail)
    yield
    assert seen == []
