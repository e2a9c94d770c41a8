"""One interface against a random air and random peers: hypothesis plays, and looks after every step.

The interface under test is the hub. Around it are other interfaces, some of which rotate their addresses, dial under
another one, have a controller with few slots or a driver that tells things twice and too late; and a node that means
harm. For a long run: ``MESH_MACHINE_EXAMPLES=5000 python -m pytest tests/ble_interface/test_mesh_machine.py -s``; it
says at its end how many steps it made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from drivers.mock_ble_driver import SloppyMockDriver

from .mesh_events import HUB, steps
from .mesh_invariants import MeshInvariants

EXAMPLES = int(os.environ.get("MESH_MACHINE_EXAMPLES", "60"))
STEPS = 30
#: Seconds of virtual time in which the mesh must have recovered once nothing goes wrong any more.
RECOVERY = 60.0


class Mesh(MeshInvariants):
    """The air, and what must have become of it in the end."""

    def teardown(self) -> None:
        try:
            self.peace()
            for station in (self.hub, *self.peers):
                if station.on:
                    station.switch(False)
        finally:
            self.dispatcher.close()

    def peace(self) -> None:
        """Nothing goes wrong any more: all find each other, and stay."""
        self.air.faults.clear()
        self.air.advertisement_copies = 1
        self.air.timing = replace(self.air.timing, loss=0.0)
        for station in (self.hub, *self.peers):
            station.driver.stall(0.0)
            station.driver.move((0.0, 0.0))
            if isinstance(station.driver, SloppyMockDriver):
                station.driver.sloppiness = 0.0
            station.driver._slots = None
            if not station.on:
                station.switch(True)
        self.dispatcher.run_for(RECOVERY)
        self.all_are_linked()
        changes = self.hub.changes
        self.dispatcher.run_for(RECOVERY)
        self.all_are_linked()
        if len(self.peers) <= self.hub.interface.settings.max_connections:
            assert self.hub.changes == changes
        for identity in self.hub.peers:
            (peer,) = [peer for peer in self.peers if peer.identity == identity]
            packet = b"at last " + identity
            assert peer.send(HUB, packet)
            self.sent[identity, HUB, packet] += 1
        self.dispatcher.run_for(5)
        assert {packet for _, packet in self.hub.got} >= {b"at last " + identity for identity in self.hub.peers}
        self.what_arrives_was_sent_by_that_identity_whole_and_once()

    def all_are_linked(self) -> None:
        places = self.hub.interface.settings.max_connections
        everybody = {peer.identity for peer in self.peers}
        assert self.hub.peers <= everybody
        assert len(self.hub.peers) == min(places, len(everybody)), self.hub.interface.get_status()
        for peer in self.peers:
            assert peer.peers >= everybody - {peer.identity}
            assert (HUB in peer.peers) == (peer.identity in self.hub.peers)


@pytest.fixture(autouse=True)
def _count() -> Iterator[None]:
    yield
    print(dict(steps))  # noqa: T201 - asked for by a long run


def test_the_mesh() -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Mesh,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=checks
        ),
    )
