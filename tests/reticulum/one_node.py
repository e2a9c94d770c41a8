"""One Reticulum node with a bare peer beside it, looked at from inside; run in a process of its own."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import RNS

from ble_interface import BLEInterface, BLEPeerInterface
from drivers.bumble_driver import BumbleDriver


class Probe:
    """A peer without Reticulum, which sees the packets as they are on the air."""

    def __init__(self, radio: str) -> None:
        self.packets: list[bytes] = []
        self.interface = BLEInterface(self, "probe", BumbleDriver(radio=radio))
        self.interface.start(b"identity of the probe"[:16])

    def inbound(self, packet: bytes, _peer: BLEPeerInterface) -> None:
        self.packets.append(packet)


def wait_for(what: str, condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 15
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return value


def check(config: str, radio: str) -> None:
    reticulum = RNS.Reticulum(configdir=config, logdest=lambda line: print(line, file=sys.stderr, flush=True))
    (parent,) = RNS.Transport.interfaces
    probe = Probe(radio)
    child = wait_for("a sub-interface", lambda: [i for i in RNS.Transport.interfaces if i is not parent])[0]
    wait_for("the probe's peer", lambda: probe.interface.peers)

    # What the configuration says of the parent holds for the child, where the packets go.
    assert (child.mode, child.bitrate, child.ifac_size) == (child.MODE_GATEWAY, 123456, 8)
    assert (child.announce_rate_target, child.ic_burst_freq) == (1234, 7.0)
    assert child.ifac_key == parent.ifac_key is not None
    assert child.ifac_identity is parent.ifac_identity is not None
    assert child.parent_interface is parent
    assert (child.HW_MTU, child.FIXED_MTU, child.AUTOCONFIGURE_MTU) == (500, True, False)
    assert (child.IN, child.OUT, child.online, parent.online) == (True, True, True, True)
    assert probe.interface.identity is not None
    assert probe.interface.identity.hex() in str(child)
    assert parent.clients == 1
    assert probe.interface.peers[0].identity == RNS.Transport.identity.hash
    reticulum.get_interface_stats()  # as rnstatus asks

    # A packet goes out once, and masked.
    identity = RNS.Identity()
    destination = RNS.Destination(identity, RNS.Destination.IN, RNS.Destination.SINGLE, "test", "one")
    packet = destination.announce(send=False)
    packet.pack()
    raw = packet.raw
    destination.announce()
    wait_for("the announce", lambda: probe.packets)
    time.sleep(0.5)
    assert len(probe.packets) == 1, "the announce went out more than once"
    (seen,) = probe.packets
    assert seen[0] & 0x80, "the access code flag is not set"
    assert identity.get_public_key() not in seen, "the announce is readable"
    assert len(seen) == len(raw) + 8
    assert child.txb == parent.txb == len(seen)

    # What has no access code is dropped; what is too long as well; both cost nothing.
    probe.interface.peers[0].process_outgoing(raw)
    probe.interface.peers[0].process_outgoing(bytes(564))
    wait_for("the bytes at the child", lambda: child.rxb == len(raw) + 564)
    assert parent.rxb == child.rxb
    assert not RNS.Transport.has_path(destination.hash)

    # The child goes with its link, and comes back with the next.
    probe.interface.stop()
    wait_for("the end of the child", lambda: RNS.Transport.interfaces == [parent])
    assert not child.online
    child.process_outgoing(b"too late")  # harmless
    probe.interface.start(b"identity of the probe"[:16])
    wait_for("a new child", lambda: len(RNS.Transport.interfaces) == 2)

    # Detached, it leaves nothing behind.
    parent.detach()
    parent.detach()
    assert RNS.Transport.interfaces == [parent]
    assert not parent.online
    wait_for("the probe to notice", lambda: not probe.interface.peers)
    probe.interface.stop()
    ours = [t.name for t in threading.enumerate() if t.name.startswith(("ble-", "BLE-", "probe-"))]
    assert ours == [], ours


def main() -> None:
    try:
        check(sys.argv[1], sys.argv[2])
    except BaseException:
        traceback.print_exc()
        print(json.dumps({"event": "failed"}), flush=True)
        os._exit(1)
    print(json.dumps({"event": "done"}), flush=True)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
