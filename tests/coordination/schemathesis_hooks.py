"""Loaded by schemathesis: requests may wait for five minutes, and need not here."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Let no request wait for longer than a moment."""
    wait = body.get("wait") if isinstance(body, dict) else None
    if isinstance(wait, (int, float)) and not isinstance(wait, bool) and 0.1 < wait <= 300:
        return {**body, "wait": 0.1}
    return body
