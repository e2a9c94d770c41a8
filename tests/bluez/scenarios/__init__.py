"""The scenarios; importing this registers all of them."""

from . import contract, driver, links, mesh, reticulum, smoke, survival

__all__ = ["contract", "driver", "links", "mesh", "reticulum", "smoke", "survival"]
