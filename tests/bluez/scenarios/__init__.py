"""The scenarios; importing this registers all of them."""

from . import driver, reticulum, smoke

__all__ = ["driver", "reticulum", "smoke"]
