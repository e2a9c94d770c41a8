"""The run: an air, its nodes, and the time that passes."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import replace

from ble_driver import VirtualDispatcher
from drivers.mock_ble_driver import Propagation, VirtualAir

from .mail import Mail
from .memory import peak_memory
from .outcome import Cost, Outcome, outcome_of
from .scenario import NEIGHBOURS, Scenario
from .station import Station

#: What Linux uses unless told otherwise (hci_alloc_dev in net/bluetooth/hci_core.c): seconds between two
#: advertisements, between two connection events, and without a packet until a link is given up.
ADVERTISING_INTERVAL, CONNECTION_INTERVAL, SUPERVISION_TIMEOUT = 1.28, 0.05, 0.42
#: Seconds after which Linux reports a device again that has not changed: its scan begins anew (DISCOV_LE_TIMEOUT in
#: net/bluetooth/hci_core.h), and with that the controller's list of those it has heard.
DUPLICATE_FILTER = 10.24
#: Seconds from an advertisement to a link: a dozen questions and answers, one to each connection event.
CONNECT_DELAY = 12 * CONNECTION_INTERVAL
#: Seconds in which an octet and what goes with it pass (Core Spec 5.4, Vol 6, Part B, 2.1 and 4.1): a frame of no
#: length, the space before its answer, and the answer.
FRAME_TIME = 0.0005
#: Walls and people, in dB (Rappaport, Wireless Communications, table 4.6).
SHADOWING = 4.0
#: Seconds in which the nodes are switched on one after the other.
BEGINNING = 30.0
#: Seconds at the end in which nothing new is sent, so that what is under way may arrive.
CALM = 5.0
#: Seconds of virtual time from one report of progress to the next.
SLICE = 1.0


def simulate(scenario: Scenario, progress: Callable[[float], object] | None = None) -> Outcome:
    """Run a scenario to its end.

    Args:
        scenario: what to run.
        progress: called now and then with how much of it is done, from 0 to 1.
    """
    memory, wall, cpu = peak_memory(), time.perf_counter(), time.process_time()
    with VirtualDispatcher() as dispatcher:
        mesh = Mesh(scenario, dispatcher)
        mesh.run(progress or (lambda done: None))
        return outcome_of(
            scenario,
            mesh.stations,
            mesh.mail,
            Cost(
                wall_seconds=time.perf_counter() - wall,
                cpu_seconds=time.process_time() - cpu,
                peak_memory=peak_memory(),
                memory_per_node=(peak_memory() - memory) // scenario.nodes,
            ),
        )


class Mesh:
    """The nodes of a scenario on their air.

    Args:
        scenario: how many nodes, and what happens to them.
        dispatcher: the time.
    """

    def __init__(self, scenario: Scenario, dispatcher: VirtualDispatcher) -> None:
        self.scenario = scenario
        self.mail = Mail()
        self._dispatcher = dispatcher
        self._seconds = scenario.minutes * 60.0
        propagation = Propagation(shadowing=SHADOWING)
        air = VirtualAir(
            dispatcher,
            seed=scenario.seed,
            advertising_interval=ADVERTISING_INTERVAL,
            duplicate_filter=DUPLICATE_FILTER,
            connect_delay=CONNECT_DELAY,
            frame_time=FRAME_TIME,
            connection_interval=CONNECTION_INTERVAL,
            supervision_timeout=SUPERVISION_TIMEOUT,
            loss=scenario.loss,
            propagation=propagation,
        )
        side = side_for(scenario.nodes, propagation)
        chance = random.Random(scenario.seed)
        self.stations: list[Station] = []
        for number in range(scenario.nodes):
            position = (chance.uniform(0.0, side), chance.uniform(0.0, side))
            station = Station(air, number, position, self.mail, scenario.seed, scenario.churn)
            self.stations.append(station)
            dispatcher.call_later(chance.uniform(0.0, min(BEGINNING, self._seconds / 4)), station.switch_on)

    def run(self, progress: Callable[[float], object]) -> None:
        """Let all the time pass."""
        dispatcher = self._dispatcher
        while dispatcher.time() < self._seconds:
            if dispatcher.time() >= self._seconds - CALM:
                self.mail.open = False
            dispatcher.run_for(min(SLICE, self._seconds - dispatcher.time()))
            progress(min(dispatcher.time() / self._seconds, 1.0))


def side_for(nodes: int, propagation: Propagation) -> float:
    """Return the side, in metres, of the square in which each node has `NEIGHBOURS` others within its reach on average.

    So a small mesh, in which most nodes are near the border, is as dense for its nodes as a large one. The chance that
    two points of a unit square are within a distance x of each other is x² (pi - 8x/3 + x²/2), for x up to 1.
    """
    wanted = min(NEIGHBOURS / (nodes - 1), 0.97)
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        x = (low + high) / 2.0
        low, high = (x, high) if x * x * (math.pi - 8.0 * x / 3.0 + x * x / 2.0) < wanted else (low, x)
    return replace(propagation, shadowing=0.0).reach() / low
