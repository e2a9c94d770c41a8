"""The scenarios; importing this registers all of them."""

from . import contract, doctor, driver, examples, figures, links, mesh, smoke, speed, survival, watchdog

__all__ = [
    "contract",
    "doctor",
    "driver",
    "examples",
    "figures",
    "links",
    "mesh",
    "smoke",
    "speed",
    "survival",
    "watchdog",
]
