"""A Resource over a Link of Reticulum: by our interface on the emulated radio, and by rns' own TCP at the same rate."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ._common import Figure, Row, ratio
from ._common.children import Child, a_radio, children
from ._common.shaped_link import free_port, shaped_link
from .bumble import carry, interface_node

#: Bytes of the file, of the largest packet, and how often each is sent by each.
FILE, HW_MTUS, TURNS = 256 * 1024, (500, 4096, 8192), 3
#: Packets with which the rate of the radio is found.
PACKETS = 1000

CONFIG = """\
[reticulum]
  enable_transport = No
  share_instance = No
  panic_on_interface_error = No
[logging]
  loglevel = 1
[interfaces]
  [[Link]]
    enabled = Yes
"""


def rows(quick: bool) -> Iterator[Row]:
    """Measure each size of packet, both ways to carry it in turn."""
    turns, size = (1, 16 * 1024) if quick else (TURNS, FILE)
    for hw_mtu in HW_MTUS[: 1 if quick else None]:
        rate = _rate(hw_mtu, 50 if quick else PACKETS)
        seconds: dict[str, list[float]] = {"ours": [], "tcp": []}
        for _ in range(turns):
            with a_radio() as radio, _nodes(*_ble(radio, hw_mtu)) as (alice, bob):
                seconds["ours"].append(_transfer(alice, bob, size))
            port = free_port()
            with shaped_link(port, rate) as entrance, _nodes(*_tcp(port, entrance, hw_mtu)) as (alice, bob):
                seconds["tcp"].append(_transfer(alice, bob, size))
        what = f"a Resource of {size // 1024} KiB, HW_MTU {hw_mtu}"
        against = f"of rns' TCP at {rate / 1e3:.0f} kB/s"
        yield Row("reticulum", what, Figure.of(seconds["ours"]), "s", ratio(seconds, "ours", "tcp"), against)


def _rate(packet: int, count: int) -> float:
    """Return the bytes a second that our interface moves in packets of this size."""
    with a_radio() as radio, children(*(interface_node(number, radio) for number in (1, 2))) as (alice, bob):
        for node in (alice, bob):
            node.expect("heard")
        return count * packet / carry(count, packet, (alice, bob))


def _ble(radio: str, hw_mtu: int) -> tuple[str, str]:
    section = f"type = BLEInterface\ndriver = bumble\nradio = {radio}\nhw_mtu = {hw_mtu}\n"
    return section, section


def _tcp(port: int, entrance: int, hw_mtu: int) -> tuple[str, str]:
    client = f"type = TCPClientInterface\ntarget_host = 127.0.0.1\ntarget_port = {entrance}\nfixed_mtu = {hw_mtu}\n"
    return client, f"type = TCPServerInterface\nlisten_ip = 127.0.0.1\nlisten_port = {port}\n"


@contextmanager
def _nodes(*sections: str) -> Iterator[list[Child]]:
    """Two nodes with an interface each; the one with the first section sends."""
    with tempfile.TemporaryDirectory() as directory:
        commands = []
        for name, section in zip(("alice", "bob"), sections, strict=True):
            config = Path(directory) / name
            (config / "interfaces").mkdir(parents=True)
            line = "from ble_interface.reticulum import interface_class\n"
            (config / "interfaces" / "BLEInterface.py").write_text(line)
            (config / "config").write_text(CONFIG + "".join(f"    {line}\n" for line in section.splitlines()))
            commands.append(("examples/reticulum_node.py", "--config", str(config), "--name", name))
        # The server first, so that the client need not try again.
        with children(commands[1]) as (bob,):
            bob.expect("up")
            with children(commands[0]) as (alice,):
                yield [alice, bob]


def _transfer(alice: Child, bob: Child, size: int) -> float:
    """Return the seconds from the offer of a file to its arrival."""
    for node in (alice, bob):
        node.expect("heard", 90.0)
    with tempfile.NamedTemporaryFile() as file:
        file.write(os.urandom(size))
        file.flush()
        alice.say(f"file bob {file.name}")
        begun, _ = alice.expect("file_sent")
        return bob.expect("file_received", 300.0)[0] - begun
