"""The scenarios; importing this registers all of them."""

from . import (
    command_line,
    contract,
    doctor,
    driver,
    examples,
    figures,
    links,
    mesh,
    service,
    smoke,
    speed,
    survival,
    watchdog,
)

__all__ = [
    "command_line",
    "contract",
    "doctor",
    "driver",
    "examples",
    "figures",
    "links",
    "mesh",
    "service",
    "smoke",
    "speed",
    "survival",
    "watchdog",
]
