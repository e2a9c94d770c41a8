"""A radio in user space: real HCI, L2CAP, ATT and GATT bytes over a local radio daemon, without kernel or root.

Start the daemon with ``python -m drivers.bumble_driver.radio``, then in any number of processes
``create_driver("bumble", radio="127.0.0.1:7700")``.
"""

import sys

if sys.version_info < (3, 11):  # bumble's own bound
    raise ImportError("the bumble driver needs Python 3.11 or newer")

from .driver import BumbleDriver

__all__ = ["BumbleDriver"]
