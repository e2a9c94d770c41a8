"""The command `monitor`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ble_interface.status_socket import StatusSocketError, running_nodes

from .history import History, PeerHistory, Status
from .status import NOBODY
from .words import duration, node_lines, size, sparkline

#: Seconds between two looks.
INTERVAL = 1.0
#: dBm from barely heard to beside the antenna.
WEAK, STRONG = -100.0, -40.0
#: How many changes are shown below the peers, and how many columns a course takes.
SHOWN, COLUMNS = 8, 10


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Every look as one line of JSON.")
@click.option("--seconds", type=click.FloatRange(min=0), help="How long to watch (default: until Ctrl-C).")
def command(as_json: bool, seconds: float | None) -> int:
    """Watch the nodes that run on this host: peers, links, what they carry
    and drop, how well each is heard, and what changes. Without a terminal
    the changes come as plain lines.

    Exit code: 0 if there was a node at any time, 1 if not.
    """
    console = Console(highlight=False)
    seen = False
    try:
        if as_json:
            for nodes in _looks(seconds):
                seen = seen or bool(nodes)
                click.echo(json.dumps({"time": round(time.time(), 3), "nodes": list(nodes.values())}))
        elif console.is_terminal:
            seen = _watch(console, seconds)
        else:
            seen = _tell(seconds)
    except KeyboardInterrupt:
        pass  # the way to end it
    return 0 if seen else 1


def _looks(seconds: float | None) -> Iterator[dict[str, Status]]:
    """Yield what the nodes say, by the paths of their sockets, again and again."""
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        nodes: dict[str, Status] = {}
        for node in running_nodes():
            try:
                nodes[str(node.path)] = {"pid": node.pid, **node.read()}
            except StatusSocketError:
                continue  # gone between the two looks
        yield nodes
        if end is not None and time.monotonic() + INTERVAL > end:
            return
        time.sleep(INTERVAL)


def _tell(seconds: float | None) -> bool:
    history, seen, told = History(), False, False
    for nodes in _looks(seconds):
        if not seen:
            lines = [line for status in nodes.values() for line in node_lines(status)]
            if nodes or not told:
                click.echo("\n".join(lines) or NOBODY)
            told = True
        seen = seen or bool(nodes)
        for change in history.look(nodes, time.monotonic()):
            click.echo(f"{time.strftime('%H:%M:%S')}  {change}")
    return seen


def _watch(console: Console, seconds: float | None) -> bool:
    history, seen = History(), False
    begun = time.time() - time.monotonic()
    with Live(console=console, screen=False, auto_refresh=False) as live:
        for nodes in _looks(seconds):
            seen = seen or bool(nodes)
            history.look(nodes, time.monotonic())
            live.update(picture(nodes, history, begun), refresh=True)
    return seen


def picture(nodes: Mapping[str, Status], history: History, begun: float) -> Group:
    """Return one picture of everything, 80 columns wide.

    Args:
        nodes: the latest look.
        history: all of them.
        begun: what to add to the times of the history for the time of day.
    """
    parts: list[Any] = []
    for key, status in nodes.items():
        head, *more = node_lines(status)
        parts += [Text(head, style="bold"), *(Text(line) for line in more)]
        if status["peers"]:
            parts.append(
                _peers(status, {peer: course for (node, peer), course in history.peers.items() if node == key})
            )
    if not nodes:
        parts.append(Text(NOBODY))
    for at, change in list(history.changes)[-SHOWN:]:
        parts.append(Text(f"{time.strftime('%H:%M:%S', time.localtime(begun + at))}  {change}", style="dim"))
    return Group(*parts)


def _peers(status: Status, courses: Mapping[str, PeerHistory]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("peer", "link", "for", "dBm", "signal", "in/s", "out/s", "rate", "wait", "drop"):
        right = name in ("for", "dBm", "in/s", "out/s", "wait", "drop")
        table.add_column(name, justify="right" if right else "left", no_wrap=True, header_style="dim")
    top = max([1.0, *(rate for course in courses.values() for rate in course.rates if rate is not None)])
    for peer in status["peers"]:
        course = courses.get(peer["identity"], PeerHistory())
        drops = sum(peer["dropped"].values())
        table.add_row(
            peer["identity"][:8],
            Text(f"{peer['state']} {peer['role'][0]}", style="green" if peer["state"] == "active" else "yellow"),
            duration(peer["connected_for"]),
            str(peer["rssi"]) if peer["rssi"] is not None else "?",
            sparkline(list(course.rssi)[-COLUMNS:], WEAK, STRONG),
            size(course.rx_rate),
            size(course.tx_rate),
            sparkline(list(course.rates)[-COLUMNS:], 0.0, top),
            size(peer["waiting_bytes"]),
            Text(str(drops), style="red" if drops else ""),
        )
    return table
