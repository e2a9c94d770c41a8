"""The service as an ASGI application, for uvicorn or any other server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from . import page, routes
from .errors import CoordinationError
from .guard import Guard, read_token
from .open_store import default_store, store_named
from .problems import AsciiJSONResponse, describe_mistakes, problem, problem_response
from .reports import Reports
from .service import CoordinationService
from .store import Store

#: The environment variable that names the file with the token, for `create_app` without arguments.
TOKEN_FILE = "COORDINATION_TOKEN_FILE"


def create_app(store: Store | str | None = None, *, token: str | None = None, anybody: bool = False) -> FastAPI:
    """Return the service, as in ``uvicorn --factory ble_coordination:create_app``.

    Args:
        store: what keeps the locks, or the text that names it: ``sqlite:PATH`` or ``redis://…``. By default Redis at
            ``COORDINATION_REDIS_URL`` if that is set, else a file (see `default_store`).
        token: what requests must bring. By default the content of the file that ``COORDINATION_TOKEN_FILE`` names; if
            that is not set either, requests from this host only are served.
        anybody: serve requests from any host without a token.

    Raises:
        SettingError: the store or the token cannot be used.
    """
    if store is None:
        store = default_store()
    if token is None and TOKEN_FILE in os.environ:
        token = read_token(os.environ[TOKEN_FILE])
    reports = Reports(lambda **callbacks: CoordinationService(_as_store(store), **callbacks))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await reports.service.start()
        try:
            yield
        finally:
            await reports.service.stop()

    app = FastAPI(
        title="BLE device coordination",
        description="Grants locks on Bluetooth LE adapters, so that programs do not fight over them.",
        version=version("ble-interface"),
        lifespan=lifespan,
        # Their pages load code from elsewhere. The description itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
        default_response_class=AsciiJSONResponse,
        middleware=[Middleware(Guard, token=token, anybody=anybody)],
        exception_handlers={
            CoordinationError: _on_error,
            RequestValidationError: _on_mistakes,
            HTTPException: _on_http_error,
        },
    )
    app.state.reports = reports
    app.include_router(routes.router)
    app.include_router(page.router)

    @app.websocket("/ws")
    async def watch(socket: WebSocket) -> None:
        await reports.watchers.serve(socket)

    return app


def _as_store(store: Store | str) -> Store:
    return store_named(store) if isinstance(store, str) else store


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CoordinationError)
    return problem_response(error)


async def _on_mistakes(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem("invalid_request", describe_mistakes(error.errors()), 422)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers: Any = error.headers
    if error.status_code == 404:
        return problem("not_found", "there is nothing at this path: /openapi.json tells what there is", 404)
    if error.status_code == 405:
        return problem("method_not_allowed", "this path takes another method: /openapi.json tells which", 405, headers)
    return problem("http_error", str(error.detail), error.status_code, headers)
