"""What the examples share besides `ble_cli.programs`: their command line, and nodes of Reticulum."""

import importlib.util
import sys

# Each example imports from here first, so this is where to notice it.
if importlib.util.find_spec("ble_driver") is None:
    print("ble-interface is not installed here: in its directory, pip install -e '.[bleak]'", file=sys.stderr)
    raise SystemExit(2)
