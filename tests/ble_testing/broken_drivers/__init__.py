"""One broken driver for each rule of the contract: the mock driver with a single thing wrong."""

from . import callbacks, discovery, frames, life, links, radio
from .catalogue import BROKEN

__all__ = ["BROKEN", "callbacks", "discovery", "frames", "life", "links", "radio"]
