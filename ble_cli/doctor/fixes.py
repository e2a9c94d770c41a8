"""What `--fix` may do: commands that end nobody's links and change no file, each after a yes."""

from __future__ import annotations

import subprocess

from .finding import Finding, Status

#: A remedy is run only if it stands here, word by word.
SAFE = ("sudo rfkill unblock bluetooth", "bluetoothctl power on", "sudo systemctl start bluetooth")
TIMEOUT = 60.0


def command_for(finding: Finding, *, root: bool) -> list[str] | None:
    """Return the command that safely mends this, None if there is no such."""
    if finding.status is not Status.FAILED or finding.remedy not in SAFE:
        return None
    words = finding.remedy.split()
    return words[1:] if root and words[0] == "sudo" else words


def run(command: list[str]) -> str | None:
    """Run it; return what went wrong, None if nothing did."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.CalledProcessError as error:
        return (error.stderr or error.stdout).strip() or f"it ended with {error.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None
