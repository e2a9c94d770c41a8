"""The command `status`."""

from __future__ import annotations

import json

import click

from ble_interface.status_socket import StatusSocketError, running_nodes

from .words import duration, node_lines, size

NOBODY = (
    "no node runs here, or none of this user (as root, all users' are seen). rnsd has its status socket on unless its "
    "section says status_socket = no; a program of your own switches it on by BLEInterface(…, status_socket=True)."
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object with a list of nodes.")
def command(as_json: bool) -> int:
    """Show the nodes that run on this host: rnsd, chat, or programs of your
    own, with their peers and what they carried.

    Exit code: 0 if there is a node, 1 if not.
    """
    nodes = []
    for node in running_nodes():
        try:
            nodes.append({"pid": node.pid, **node.read()})
        except StatusSocketError as error:
            click.echo(f"ble-interface: {error}", err=True)
    if as_json:
        click.echo(json.dumps({"nodes": nodes}, indent=2))
    elif not nodes:
        click.echo(NOBODY)
    for status in nodes if not as_json else ():
        for line in node_lines(status):
            click.echo(line)
        for peer in status["peers"]:
            rssi = f"{peer['rssi']} dBm" if peer["rssi"] is not None else "? dBm"
            click.echo(
                f"  {peer['identity'][:8]} at {peer['address']}  {peer['state']} "
                f"for {duration(peer['connected_for'])}, as {peer['role']}"
            )
            click.echo(
                f"           {rssi}, MTU {peer['mtu']}, in {size(peer['rx_bytes'])}, out {size(peer['tx_bytes'])}, "
                f"dropped {sum(peer['dropped'].values())}"
            )
    return 0 if nodes else 1
