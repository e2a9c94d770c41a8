"""Errors as answers: each with its name, and what to change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from .errors import CoordinationError, UnauthorizedError

#: How many of the mistakes in one request are named.
NAMED_MISTAKES = 5


class AsciiJSONResponse(JSONResponse):
    """JSON that any text can go into, whatever was sent to us."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def problem_response(error: CoordinationError) -> Response:
    """Return an error as the answer to a request."""
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, UnauthorizedError) else {}
    return problem(error.code, str(error), error.status, headers)


def problem(code: str, message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    """Return an answer in the shape of `schemas.Problem`."""
    body = {"success": False, "error": code, "message": message}
    if status in (408, 413):  # the rest of the body is not waited for
        headers = {**(headers or {}), "Connection": "close"}
    return AsciiJSONResponse(body, status_code=status, headers=headers)


async def websocket_problem(error: CoordinationError, scope: Any, receive: Any, send: Any) -> None:
    """Refuse a WebSocket with an error as the answer to its handshake, where the server can do that."""
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await problem_response(error)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:120]})


def describe_mistakes(mistakes: Sequence[Any]) -> str:
    """Return what pydantic found wrong with a request, in one line."""
    named = []
    for mistake in mistakes[:NAMED_MISTAKES]:
        where = ".".join(str(part) for part in mistake["loc"] if part not in ("body", "path", "query"))
        what = "there is no such field" if mistake["type"] == "extra_forbidden" else mistake["msg"]
        named.append(f"{ascii(where[:64])[1:-1] or 'the body'}: {what}")
    more = len(mistakes) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more > 0 else "")
