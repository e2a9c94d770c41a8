"""A radio without hardware: nodes in one process on a `VirtualAir`, in real or in virtual time.

    air = VirtualAir(VirtualDispatcher())
    alice, bob = MockBLEDriver(air), MockBLEDriver(air)

Give both to the stack under test, let time pass with ``air.dispatcher.run_for(5)``, and look at what happened.
"""

from .air import VirtualAir
from .driver import MockBLEDriver
from .faults import Fault, Faults, Step
from .hostile import HostileNode
from .propagation import Propagation
from .sloppy import SloppyMockDriver

__all__ = ["Fault", "Faults", "HostileNode", "MockBLEDriver", "Propagation", "SloppyMockDriver", "Step", "VirtualAir"]
