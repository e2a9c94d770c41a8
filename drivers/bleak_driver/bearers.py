"""Does bluetoothd spread one link over several ATT bearers?

BlueZ 5.66 (Debian 12, Raspberry Pi OS 12) opens up to three to another BlueZ (EATT, Core Spec 5.4, Vol 3, Part F,
3.2.11), and notifications overtake each other on them: seen with up to 78 of 300. The wire has no packet ids, so that
frames out of order cost packets. Newer versions use one unless told otherwise. Only the system's configuration can
switch it off.
"""

from __future__ import annotations

import re
from pathlib import Path

#: Where bluetoothd finds its configuration unless its command line says otherwise.
DEFAULT_CONFIGURATION = Path("/etc/bluetooth/main.conf")
#: What to do about it.
ADVICE = (
    "bluetoothd may use {count} ATT bearers per link, on which frames overtake each other and packets are lost: set "
    "Channels = 1 under [GATT] in {path}, then sudo systemctl restart bluetooth"
)
_OPTION = re.compile(r"--?(?:f|configfile)=?(.*)")
#: Distributions ship the file with each default as a comment.
_CHANNELS = re.compile(r"^\s*(#?)\s*Channels\s*=\s*(\d+)\s*$", re.MULTILINE)


def configuration_of(command_line: bytes) -> Path:
    """Return which configuration a bluetoothd with this command line (as in /proc/PID/cmdline) reads."""
    words = [word.decode(errors="replace") for word in command_line.split(b"\0")]
    for word, following in zip(words, [*words[1:], ""], strict=True):
        match = _OPTION.fullmatch(word)
        if match:
            return Path(match[1] or following)
    return DEFAULT_CONFIGURATION


def bearers(configuration: str) -> int:
    """Return how many bearers a configuration allows, 1 if it does not say."""
    found = {commented: int(number) for commented, number in _CHANNELS.findall(configuration)}
    return found.get("", found.get("#", 1))


def complaint(pid: int, proc: Path = Path("/proc")) -> str | None:
    """Return what to tell a person about the bluetoothd that runs as this process; None if all is well or unknown."""
    try:
        path = configuration_of((proc / str(pid) / "cmdline").read_bytes())
        count = bearers(path.read_text(errors="replace"))
    except OSError:
        return None
    return ADVICE.format(count=count, path=path) if count > 1 else None
