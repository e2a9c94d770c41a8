"""Who may speak to the service, checked before anything else is.

With a token: whoever has it. It comes in the header ``Authorization: Bearer …``, also to the WebSocket; a page cannot
set that header there, so it may offer the WebSocket subprotocol ``bearer.…`` instead.

Without a token: only this host. A browser on this host is a way in for every page that it shows, so requests that name
another host (by a name that an attacker let point here: DNS rebinding) and those that come from a page of another
origin are refused.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .body import Disconnected, Message, Receive, read_json_body
from .errors import CoordinationError, ForeignOriginError, NotLoopbackError, SettingError, UnauthorizedError
from .problems import problem_response, websocket_problem

Scope = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

#: What needs no token: the page, which then asks for it, its description, and what tells whether the service works.
PUBLIC_PATHS = frozenset({"/", "/page.js", "/page.css", "/openapi.json", "/api/health/live", "/api/health/ready"})
#: What the page needs a browser to allow, and no more: nothing from elsewhere, no code or style but its own files.
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
#: Characters that go into a header and a subprotocol as they are; short ones could be guessed.
TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,256}")
BEARER_SUBPROTOCOL = "bearer."
#: What the service answers to a WebSocket that offers subprotocols.
SUBPROTOCOL = "ble-coordination"


class Guard:
    """The outermost layer of the service.

    Args:
        app: what is guarded.
        token: what a request must bring; None lets in this host only.
        anybody: let in any host without a token. For a network that is guarded otherwise.
    """

    def __init__(self, app: App, token: str | None = None, anybody: bool = False) -> None:
        self._app = app
        self._token = None if token is None else check_token(token)
        self._anybody = anybody

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            try:
                self._check(scope)
            except CoordinationError as error:
                await websocket_problem(error, scope, receive, send)
            else:
                await self._app(scope, receive, send)
        else:
            await self._http(scope, receive, _with_headers(send))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
            if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
                receive = _replay(await read_json_body(scope["headers"], receive), receive)
        except CoordinationError as error:
            await problem_response(error)(scope, receive, send)
        except Disconnected:
            pass
        else:
            await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if self._token is None:
            if not self._anybody:
                _check_peer(scope.get("client"))
                _check_host(headers.get(b"host", ""))
            _check_origin(headers.get(b"origin"), headers.get(b"host", ""))
        elif scope["path"] not in PUBLIC_PATHS:
            self._check_token(headers.get(b"authorization", ""), scope.get("subprotocols", ()))

    def _check_token(self, authorization: str, subprotocols: Iterable[str]) -> None:
        assert self._token is not None
        scheme, _, credentials = authorization.partition(" ")
        offered = [credentials.strip()] if scheme.lower() == "bearer" else []
        offered += [name[len(BEARER_SUBPROTOCOL) :] for name in subprotocols if name.startswith(BEARER_SUBPROTOCOL)]
        if not any(hmac.compare_digest(one.encode(), self._token.encode()) for one in offered):
            raise UnauthorizedError("this needs the service's token: send the header Authorization: Bearer TOKEN")


def check_token(token: str) -> str:
    """Return a token that can be used.

    Raises:
        SettingError: it is too short, or has characters that do not go into a header.
    """
    if not TOKEN.fullmatch(token):
        raise SettingError(
            "a token has 16 to 256 of the characters A-Z a-z 0-9 . _ ~ -; make one with: openssl rand -hex 32"
        )
    return token


def read_token(path: str | Path) -> str:
    """Return the token in a file, which holds nothing else.

    Raises:
        SettingError: the file cannot be read, or holds no token.
    """
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"the token file {path} cannot be read: {error}") from error
    return check_token(text)


def is_loopback(host: str) -> bool:
    """Return whether an address, or the name localhost, means this host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _check_peer(client: tuple[str, int] | None) -> None:
    if client is not None and not is_loopback(client[0]):
        raise NotLoopbackError(
            "without a token the service speaks to its own host only: start it with --token-file, and send that token"
        )


def _check_host(host: str) -> None:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        name = ""
    if not is_loopback(name):
        raise ForeignOriginError(
            "without a token the service goes by localhost, 127.0.0.1 and [::1] only: use one of them in the URL"
        )


def _check_origin(origin: str | None, host: str) -> None:
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        raise ForeignOriginError("a page of another origin sent this: only the service's own page may")


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return send_with_headers


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give out a body that was taken already, then what comes after it: nothing, or the peer's end."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
