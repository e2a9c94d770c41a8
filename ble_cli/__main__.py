"""Where `ble-interface` begins. Without the extra `cli` it says what to install, and nothing else."""

from __future__ import annotations

import sys

MISSING = "ble-interface: {module} is not installed; the command needs it: pip install 'ble-interface[cli]'"
USAGE_EXIT_CODE = 2


def main() -> int:
    """Run the command line of this process; return the exit code."""
    try:
        from .main import run

        return run()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        print(MISSING.format(module=error.name), file=sys.stderr)  # noqa: T201 - there is nothing else to say it with
        return USAGE_EXIT_CODE


if __name__ == "__main__":
    sys.exit(main())
