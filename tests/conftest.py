"""What holds for all tests."""

from __future__ import annotations

import sys

from hypothesis import HealthCheck, settings

# bumble needs Python 3.11: below, what stands on it has nothing to stand on.
collect_ignore = (
    ["bumble_driver", "bumble_radio", "demo", "examples", "reticulum"] if sys.version_info < (3, 11) else []
)

# No test may fail because the machine is busy.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
