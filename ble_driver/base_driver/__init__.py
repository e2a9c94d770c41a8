"""The rules of the contract, kept once for all drivers.

A driver derives from `BaseDriver` and writes only what is its radio's own: seven coroutines that do what they are
told, and calls of the `_report_…` methods when something happens (both in `radio`, where a newcomer starts to read).
Threads, order, bounds, the connecting set, exactly one report per event and a clean end are looked after here.
"""

from .driver import BaseDriver
from .radio import GattUUIDs

__all__ = ["BaseDriver", "GattUUIDs"]
