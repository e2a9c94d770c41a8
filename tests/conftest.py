"""bumble needs Python 3.11: below, what stands on it has nothing to stand on."""

from __future__ import annotations

import sys

collect_ignore = ["bumble_driver", "bumble_radio", "demo", "reticulum"] if sys.version_info < (3, 11) else []
