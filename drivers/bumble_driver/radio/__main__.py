"""``python -m drivers.bumble_driver.radio``: the radio as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import random
import signal
import stat
import sys

from ble_driver.one_line import OneLineParser, port

from .air import Air
from .server import RadioServer


def _parser() -> OneLineParser:
    return OneLineParser(prog="radio", description="Virtual Bluetooth LE controllers on one air, HCI (H4) over TCP.")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=port, default=7700, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="make advertising delays repeatable")
    parser.add_argument(
        "--no-cancel-event",
        dest="cancel_event",
        action="store_false",
        help="send no LE Connection Complete after a cancelled attempt (for kernels that trip over it)",
    )
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="end when stdin, a pipe held by the parent, is closed, which its death does as well",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log hosts and links to stderr")
    return parser.parse_args(arguments)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _watch_stdin(ended: asyncio.Event) -> None:
    """End with the parent: its end of the pipe is closed however it dies.

    A pipe is sturdier than PR_SET_PDEATHSIG, which reports the death of the parent's *thread* that started us, is set
    too late if the parent is already dead, and exists on Linux only.
    """
    descriptor = sys.stdin.fileno()

    def on_readable() -> None:
        if not os.read(descriptor, 4096):
            asyncio.get_running_loop().remove_reader(descriptor)
            ended.set()

    asyncio.get_running_loop().add_reader(descriptor, on_readable)


def _stdin_is_a_pipe() -> bool:
    if sys.stdin is None:
        return False
    mode = os.fstat(sys.stdin.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


async def _run(options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if options.exit_with_parent:
        _watch_stdin(ended)
    server = RadioServer(
        options.host, options.port, air=Air(rng=random.Random(options.seed)), cancel_event=options.cancel_event
    )
    try:
        await server.start()
    except OSError as error:
        _parser().fail_to_listen(options.host, options.port, error)
    print(f"radio: listening on {options.host}:{server.port}", flush=True)  # noqa: T201 - what a parent waits for
    await ended.wait()
    await server.close()


def main(arguments: list[str] | None = None) -> None:
    """Run until SIGTERM, SIGINT or, if asked for, the end of the parent."""
    options = _parse(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING, format="%(asctime)s %(name)s %(message)s"
    )
    if options.exit_with_parent and not _stdin_is_a_pipe():
        _parser().fail("--exit-with-parent needs a pipe as stdin, held open by the parent")
    if not _is_loopback(options.host):
        logging.getLogger(__name__).warning(
            "%s is not a loopback address: whoever reaches it can join this air", options.host
        )
    asyncio.run(_run(options))


if __name__ == "__main__":
    main()
