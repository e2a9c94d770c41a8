"""The TCP connection that is as slow as a radio."""

from __future__ import annotations

import socket
import time

from benchmarks._common.shaped_link import BURST, shaped_link

RATE = 100_000.0


def test_it_carries_at_its_rate_and_hangs_up_on_the_one_end_when_the_other_does() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        shaped_link(server.getsockname()[1], RATE) as entrance,
        socket.create_connection(("127.0.0.1", entrance)) as near,
        server.accept()[0] as far,
    ):
        near.settimeout(5)
        far.settimeout(5)
        data = bytes(30_000)
        began = time.monotonic()
        near.sendall(data)
        got = b""
        while len(got) < len(data):
            got += far.recv(65_536)
        assert got == data
        assert time.monotonic() - began >= (len(data) - BURST) / RATE
        far.sendall(b"back")
        assert near.recv(10) == b"back"
        near.close()
        assert far.recv(10) == b""
