"""A mesh of real `BLEInterface`s on one virtual air, in one process and in virtual time.

    python -m ble_interface.simulate --nodes 1000 --minutes 60 --seed 1 --plot mesh.svg

A program on top of the package, and the only part of it that imports a driver: the mock one. ``import ble_interface``
does not import it.
"""

from .mesh import simulate
from .outcome import Cost, Outcome
from .picture import draw
from .scenario import Scenario, ScenarioError

__all__ = ["Cost", "Outcome", "Scenario", "ScenarioError", "draw", "simulate"]
