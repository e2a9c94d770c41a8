"""Takes bodies from the wire with their size, time, depth and text bounded, before anything looks into them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NoReturn

from .errors import BodyTimeoutError, BodyTooLargeError, InvalidJSONError, MediaTypeError
from .limits import BODY_TIMEOUT, MAX_BODY, MAX_DEPTH

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Disconnected(Exception):
    """The peer went away before its body was there."""


async def read_json_body(headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> bytes:
    """Return a body that is known to be harmless JSON.

    Raises:
        MediaTypeError, BodyTooLargeError, BodyTimeoutError, InvalidJSONError: it is not.
        Disconnected: there is nobody to tell.
    """
    fields = {name.lower(): value for name, value in headers}
    media_type = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type != b"application/json":
        # A page of another site can make a browser send only other types without asking first.
        raise MediaTypeError("the body must be JSON: send the header Content-Type: application/json")
    declared = fields.get(b"content-length", b"0")
    if not declared.isdigit() or len(declared) > 9 or int(declared) > MAX_BODY:
        raise BodyTooLargeError(f"a body has at most {MAX_BODY} bytes")
    try:
        body = await asyncio.wait_for(_collect(receive), BODY_TIMEOUT)
    except asyncio.TimeoutError:
        raise BodyTimeoutError(f"the body did not arrive within {BODY_TIMEOUT:g} s: send it at once") from None
    check_json(body)
    return body


async def _collect(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise BodyTooLargeError(f"a body has at most {MAX_BODY} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def check_json(body: bytes) -> None:
    """Refuse what is not JSON in UTF-8, is nested too deep, or holds text that cannot be written as UTF-8.

    Raises:
        InvalidJSONError: see above.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidJSONError(f"the body is not UTF-8: byte {error.start}") from None
    if _depth(text) > MAX_DEPTH:
        raise InvalidJSONError(f"the body is nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidJSONError("the body has half of a surrogate pair: send whole characters") from None
    except ValueError as error:  # JSONDecodeError among them, and numbers of thousands of digits
        raise InvalidJSONError(f"the body is not JSON: {ascii(str(error))[1:-1]}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _depth(text: str) -> int:
    """Return the deepest nesting, brackets inside strings left out."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest
