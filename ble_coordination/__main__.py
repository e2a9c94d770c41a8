"""``python -m ble_coordination``: the service as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
from typing import NoReturn

from ble_driver.one_line import OneLineParser, port

from .app import create_app
from .errors import CoordinationError
from .guard import is_loopback, read_token
from .open_store import default_store
from .server import BoundedServer, listen
from .service import CoordinationService

DEFAULT_PORT = 60620


def _parser() -> OneLineParser:
    return OneLineParser(
        prog="ble_coordination",
        description="Grants locks on Bluetooth LE adapters, so that programs do not fight over them.",
        allow_abbrev=False,
    )


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=port, default=DEFAULT_PORT, help="0 picks a free one (default: %(default)s)")
    parser.add_argument(
        "--store",
        help="what keeps the locks: sqlite:PATH or redis://HOST:PORT/DATABASE (default: COORDINATION_REDIS_URL, else "
        "locks.db in the directory that systemd names, else in ~/.local/state/ble-coordination)",
    )
    parser.add_argument("--token-file", help="a file with the token that requests must bring")
    parser.add_argument(
        "--without-token",
        action="store_true",
        help="serve any host without a token; for a network that is guarded otherwise",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log each request to stderr")
    options = parser.parse_args(arguments)
    if options.token_file is not None and options.without_token:
        parser.error("--token-file and --without-token exclude each other: leave out one")
    if not is_loopback(options.host) and options.token_file is None and not options.without_token:
        parser.error(
            f"{options.host} can be reached from other hosts: give --token-file FILE, "
            "or --without-token if the network is guarded otherwise"
        )
    return options


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = _parse(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn has its own meanwhile, and raises them again at the end
        signal.signal(number, _end)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING, format="%(asctime)s %(name)s %(message)s"
    )
    try:
        store = options.store or default_store()
        token = read_token(options.token_file) if options.token_file is not None else None
        app = create_app(store, token=token, anybody=options.without_token)
        listener = listen(options.host, options.port)
    except (CoordinationError, ModuleNotFoundError) as error:
        _parser().fail(error)
    except OSError as error:
        _parser().fail_to_listen(options.host, options.port, error)
    host = f"[{options.host}]" if ":" in options.host else options.host
    server = BoundedServer(app, verbose=options.verbose)
    server.ready_line = f"ble_coordination: http://{host}:{listener.getsockname()[1]}/ {_without_password(store)}"
    with listener:
        asyncio.run(_serve(app.state.reports.service, server, listener))


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(0)


async def _serve(service: CoordinationService, server: BoundedServer, listener: socket.socket) -> None:
    try:
        await service.start()  # here already, so that one line says why it cannot be
    except CoordinationError as error:
        _parser().fail(error)
    await server.serve(sockets=[listener])


def _without_password(store: str) -> str:
    scheme, separator, rest = store.rpartition("@")
    return f"{scheme.partition('://')[0]}://…@{rest}" if separator else store


if __name__ == "__main__":
    main()
