"""Two Reticulum nodes meet over Bluetooth LE, on one machine and without any hardware.

    python examples/demo.py [--keep] [--verbose]

Three processes: a radio daemon that emulates two Bluetooth controllers and the air between them, and two full
Reticulum nodes, alice and bob (`reticulum_node.py`), whose only interface is ours over that radio. They announce
themselves, exchange LXMF messages with proofs of delivery, and move a file of 64 KiB. The exit code is 0 only if
everything arrived byte for byte.
"""

import sys

from _demo.main import main
from _demo.network import EmulatedRadio

if __name__ == "__main__":
    sys.exit(main(EmulatedRadio()))
