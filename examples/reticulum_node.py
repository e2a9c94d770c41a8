"""A small, complete Reticulum node: it announces itself, exchanges LXMF messages, and sends and receives files.

    python examples/reticulum_node.py --config DIR --name alice

DIR is an ordinary Reticulum configuration directory; which radios or networks the node uses is written there and
nowhere else. Commands are read from standard input, one per line, and the node ends when its input does:

    announce                   announce again now
    direct NAME TEXT           send a message over a link
    opportunistic NAME TEXT    send a message as a single packet
    file NAME PATH             send a file over a link; the peer keeps it in DIR/received
    quit

Everything that happens is one JSON object per line on standard output. Logs go to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import LXMF
import RNS

# An announce that is sent before the radio link exists reaches nobody, so a lonely node repeats itself. It stays far
# below the rate (three a second on a young interface) at which Reticulum holds back announces of unknown destinations.
LONELY_ANNOUNCE_INTERVAL = 2.0
ANNOUNCE_INTERVAL = 300.0
PATH_TIMEOUT = 15.0
START_TIMEOUT = 60.0
EXIT_TIMEOUT = 5.0
MAX_FILE_SIZE = 16 * 1024 * 1024

METHOD_NAMES = {LXMF.LXMessage.DIRECT: "direct", LXMF.LXMessage.OPPORTUNISTIC: "opportunistic"}
METHODS = {name: method for method, name in METHOD_NAMES.items()}

_output_lock = threading.Lock()


def emit(event: str, **details: object) -> None:
    """Report one event. Reticulum calls back on many threads, so a line is written whole or not at all."""
    line = json.dumps({"event": event, **details})
    with _output_lock, contextlib.suppress(BrokenPipeError):  # no reader is no reason to stop: the end of input is
        print(line, flush=True)


def end_of(resource: Any) -> str:
    names = {RNS.Resource.FAILED: "failed", RNS.Resource.CORRUPT: "is corrupt", RNS.Resource.REJECTED: "was rejected"}
    return f"the transfer {names.get(resource.status, 'was cut off')}"


class Node:
    """The node proper. Its methods are called by Reticulum's threads and by the thread that reads commands."""

    aspect_filter = "lxmf.delivery"  # which announces Reticulum hands to received_announce

    def __init__(self, config: Path, name: str) -> None:
        self.name = name
        self.received = config / "received"
        self.peers: dict[str, Any] = {}  # display name -> the identity behind it
        self.stopping = threading.Event()
        self._started = threading.Event()

        # Before there is an interface: an announce that Reticulum knows of before we listen is not reported again.
        RNS.Transport.register_announce_handler(self)

        # Reticulum reads the configuration, starts the interfaces and, from then on, moves packets by itself.
        self.reticulum = RNS.Reticulum(configdir=str(config), logdest=logging.getLogger("rns").info)
        self.identity = self._identity(config / "storage" / "node_identity")

        # Messages: without a stamp cost a sender need not spend processor time on a proof of work.
        self.router = LXMF.LXMRouter(identity=self.identity, storagepath=str(config / "storage"))
        self.address = self.router.register_delivery_identity(self.identity, display_name=name, stamp_cost=None)
        self.router.register_delivery_callback(self.received_message)

        # Files: a second destination of the same identity. It is not announced: peers ask for a path to it.
        self.files = RNS.Destination(self.identity, RNS.Destination.IN, RNS.Destination.SINGLE, "ble_example", "files")
        self.files.set_link_established_callback(self.accepted_link)

    @staticmethod
    def _identity(path: Path) -> Any:
        if path.is_file():
            return RNS.Identity.from_file(str(path))
        identity = RNS.Identity()
        identity.to_file(str(path))
        return identity

    def run(self) -> None:
        """Announce, often until somebody is heard and ever more rarely afterwards, until told to stop."""
        emit("up", name=self.name, address=self.address.hash.hex(), rns=RNS.__version__, lxmf=LXMF.__version__)
        self._started.set()
        interval = LONELY_ANNOUNCE_INTERVAL
        while True:
            self.announce()
            if self.stopping.wait(interval):
                return
            interval = min(2 * interval, ANNOUNCE_INTERVAL) if self.peers else LONELY_ANNOUNCE_INTERVAL

    # -- peers

    def announce(self) -> None:
        self.router.announce(self.address.hash)
        emit("announced", peers=len(self.peers))

    def received_announce(self, destination_hash: bytes, announced_identity: Any, app_data: bytes | None) -> None:
        self._started.wait(START_TIMEOUT)  # Reticulum gives each call a thread of its own
        name = LXMF.display_name_from_app_data(app_data)
        if not name or name in self.peers:
            return
        self.peers[name] = announced_identity
        emit(
            "heard",
            peer=name,
            address=destination_hash.hex(),
            hops=RNS.Transport.hops_to(destination_hash),
            interface=str(self.reticulum.get_next_hop_if_name(destination_hash)),
        )
        self.announce()  # whoever has just come into range has missed our earlier announces

    def name_of(self, identity: Any) -> str:
        known = [name for name, peer in self.peers.items() if identity is not None and peer.hash == identity.hash]
        return known[0] if known else "?"

    def destination(self, peer: str, *aspects: str) -> Any:
        return RNS.Destination(self.peers[peer], RNS.Destination.OUT, RNS.Destination.SINGLE, *aspects)

    # -- messages

    def send_message(self, peer: str, text: str, method: str) -> None:
        recipient = self.destination(peer, "lxmf", "delivery")
        message = LXMF.LXMessage(recipient, self.address, text, desired_method=METHODS[method])
        # The first is called when the recipient's signed proof of delivery has arrived and has been checked.
        message.register_delivery_callback(lambda _: emit("message_delivered", peer=peer, method=method))
        message.register_failed_callback(lambda _: emit("message_failed", peer=peer, reason="no proof of delivery"))
        emit("message_sent", peer=peer, method=method, text=text)
        self.router.handle_outbound(message)

    def received_message(self, message: Any) -> None:
        emit(
            "message_received",
            peer=self.name_of(RNS.Identity.recall(message.source_hash)),
            method=METHOD_NAMES.get(message.method, "?"),
            text=message.content_as_string(),
            verified=message.signature_validated,
        )

    # -- sending files

    def send_file(self, peer: str, path: Path) -> None:
        destination = self.destination(peer, "ble_example", "files")
        if not RNS.Transport.await_path(destination.hash, timeout=PATH_TIMEOUT):
            emit("file_failed", peer=peer, reason="no path to the peer")
            return
        data = path.read_bytes()

        def established(link: Any) -> None:
            link.identify(self.identity)
            emit("file_sent", peer=peer, bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), rtt=link.rtt)
            RNS.Resource(data, link, metadata={"name": path.name}, callback=concluded)

        def concluded(resource: Any) -> None:
            if resource.status == RNS.Resource.COMPLETE:  # the peer has proven that it has all of it
                emit("file_delivered", peer=peer)
            else:
                emit("file_failed", peer=peer, reason=end_of(resource))
            resource.link.teardown()

        def closed(link: Any) -> None:
            if link.activated_at is None:
                emit("file_failed", peer=peer, reason="the link could not be established")

        RNS.Link(destination, established_callback=established, closed_callback=closed)

    # -- receiving files

    def accepted_link(self, link: Any) -> None:
        link.set_resource_strategy(RNS.Link.ACCEPT_APP)
        link.set_resource_callback(lambda advertised: advertised.get_data_size() <= MAX_FILE_SIZE)
        link.set_resource_started_callback(self.started_file)
        link.set_resource_concluded_callback(self.concluded_file)

    def started_file(self, resource: Any) -> None:
        last_percent = -1

        def progress(resource: Any) -> None:
            nonlocal last_percent
            percent = int(resource.get_progress() * 100)
            if percent > last_percent:
                last_percent = percent
                emit("file_progress", percent=percent, bytes=resource.total_size)

        emit("file_started", peer=self.name_of(resource.link.get_remote_identity()), bytes=resource.total_size)
        resource.progress_callback(progress)

    def concluded_file(self, resource: Any) -> None:
        peer = self.name_of(resource.link.get_remote_identity())
        if resource.status != RNS.Resource.COMPLETE:
            emit("file_failed", peer=peer, reason=end_of(resource))
            return
        self.store_file(peer, str((resource.metadata or {}).get("name", "")), resource.data.read())

    def store_file(self, peer: str, name: str, data: bytes) -> None:
        path = self.received / (Path(name).name or "unnamed")  # never outside of our directory
        self.received.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        emit("file_received", peer=peer, path=str(path), bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    # -- commands

    def command(self, line: str) -> None:
        verb, *arguments = line.split(maxsplit=2)
        if verb == "quit":
            self.stopping.set()
        elif verb == "announce":
            self.announce()
        elif len(arguments) != 2 or arguments[0] not in self.peers:
            emit("refused", command=line, known_peers=sorted(self.peers))
        elif verb in METHODS:
            self.send_message(arguments[0], arguments[1], verb)
        elif verb == "file":
            # A thread of its own: finding a path takes time, and the end of our input must be noticed meanwhile.
            threading.Thread(target=self.send_file, args=(arguments[0], Path(arguments[1])), daemon=True).start()
        else:
            emit("refused", command=line, known_peers=sorted(self.peers))

    def close(self) -> None:
        emit("down")
        self.router.exit_handler()
        RNS.exit(0)  # detaches the interfaces and ends the process


class Input(threading.Thread):
    """Reads commands. It starts before Reticulum does, so that even a node stuck in its start ends with its input."""

    def __init__(self) -> None:
        super().__init__(name="commands", daemon=True)
        self._node: Node | None = None
        self._ready = threading.Event()
        self._ended = False

    def attach(self, node: Node) -> None:
        self._node = node
        if self._ended:
            node.stopping.set()
        self._ready.set()

    def run(self) -> None:
        # Unbuffered: a thread that waits inside sys.stdin would keep the interpreter from ending.
        with open(0, "rb", buffering=0, closefd=False) as commands:
            for line in commands:
                self._ready.wait(timeout=START_TIMEOUT)
                if self._node is None:
                    break
                if line.strip():
                    self._node.command(line.decode(errors="replace").strip())
        self._ended = True
        exit_within(EXIT_TIMEOUT)
        if self._node is not None:
            self._node.stopping.set()


def exit_within(seconds: float) -> None:
    """From now on the process lives that long at most, whatever an interface may be waiting for."""
    timer = threading.Timer(seconds, os._exit, args=(1,))
    timer.daemon = True
    timer.start()


def main(node_type: type[Node] = Node) -> None:
    parser = argparse.ArgumentParser(description="A small Reticulum node; commands on stdin, JSON events on stdout.")
    parser.add_argument("--config", type=Path, required=True, help="the Reticulum configuration directory")
    parser.add_argument("--name", required=True, help="the display name that the node announces")
    options = parser.parse_args()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(relativeCreated)8d ms  %(levelname)-7s %(name)s: %(message)s",
    )
    commands = Input()
    commands.start()
    node = node_type(options.config, options.name)
    if not RNS.Transport.interfaces:
        emit("interface_failed", reason="no interface could be started; the log says why")
        RNS.exit(1)
    # Reticulum and LXMF have set handlers that end the process on the spot: ours end it in order.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: node.stopping.set())
    commands.attach(node)
    node.run()
    exit_within(EXIT_TIMEOUT)
    node.close()


if __name__ == "__main__":
    main()
