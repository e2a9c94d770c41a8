"""The radio of a real Linux host: BlueZ, with bleak as central and bluezero as GATT server."""

from .driver import BleakDriver

__all__ = ["BleakDriver"]
