"""The scenarios; importing this registers all of them."""

from . import contract, driver, examples, figures, links, mesh, smoke, speed, survival, watchdog

__all__ = ["contract", "driver", "examples", "figures", "links", "mesh", "smoke", "speed", "survival", "watchdog"]
