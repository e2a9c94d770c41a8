"""Loaded by schemathesis: requests may wait for five minutes, and need not here."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let no request wait for longer than a moment; here, as not every phase maps the bodies that it makes."""
    wait = case.body.get("wait") if isinstance(case.body, dict) else None
    if isinstance(wait, (int, float)) and not isinstance(wait, bool) and 0.1 < wait <= 300:
        case.body = {**case.body, "wait": 0.1}
