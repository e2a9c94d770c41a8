"""What the examples share, one idea each: command line, reports, signals, and the radio's callbacks in order."""

import importlib.util
import sys

# Each example imports from here first, so this is where to notice it.
if importlib.util.find_spec("ble_driver") is None:
    print("ble-interface is not installed here: in its directory, pip install -e '.[bleak]'", file=sys.stderr)
    raise SystemExit(2)
