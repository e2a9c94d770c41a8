"""The scenarios; importing this registers all of them."""

from . import contract, driver, reticulum, smoke

__all__ = ["contract", "driver", "reticulum", "smoke"]
