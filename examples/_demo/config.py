"""The Reticulum configuration directory of one node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOG_INFO = 4
LOG_DEBUG = 6

TEMPLATE = """\
[reticulum]
  enable_transport = No
  # Two nodes on one machine must not find each other through a shared instance: only through the radio.
  share_instance = No
  panic_on_interface_error = No

[logging]
  loglevel = {loglevel}
  logtimestamps = No

[interfaces]
{interface_section}
"""


@dataclass
class NodeConfig:
    directory: Path
    interface_section: str
    interface_files: Mapping[str, str] = field(default_factory=dict)
    """What belongs into `DIR/interfaces`: the modules of interfaces that Reticulum does not bring itself."""
    loglevel: int = LOG_INFO

    def write(self) -> None:
        interfaces = self.directory / "interfaces"
        interfaces.mkdir(parents=True)
        for name, source in self.interface_files.items():
            (interfaces / name).write_text(source, encoding="utf-8")
        text = TEMPLATE.format(loglevel=self.loglevel, interface_section=self.interface_section)
        (self.directory / "config").write_text(text, encoding="utf-8")
