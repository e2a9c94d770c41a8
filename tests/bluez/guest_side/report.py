"""How programs in a guest speak with the scenario that started them: one JSON object per line."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

_lock = threading.Lock()


def say(event: str, **details: Any) -> None:
    """Report an event; from any thread."""
    with _lock:
        sys.stdout.write(json.dumps({"event": event, **details}, default=str) + "\n")
        sys.stdout.flush()
