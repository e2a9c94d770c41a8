"""The contract suite: what every driver must do, as tests that run against any driver.

Who has written a driver writes a `Rig`, which makes drivers that reach each other, and runs

    pytest --ble-contract mypackage.testing:MyRig

`docs/driver-author-guide.md` goes through it step by step.
"""

from .named_rig import NamedDriverRig
from .node import ABSENT, UUIDS, Node
from .rig import FaultName, RealTimeRig, Rig, StepName, VirtualTimeRig

__all__ = [
    "ABSENT",
    "UUIDS",
    "FaultName",
    "NamedDriverRig",
    "Node",
    "RealTimeRig",
    "Rig",
    "StepName",
    "VirtualTimeRig",
]
