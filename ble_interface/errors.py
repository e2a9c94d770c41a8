"""Errors of the protocol layer; those of the radio are in ``ble_driver``."""

from __future__ import annotations


class BLEInterfaceError(Exception):
    """Base of all errors raised by this package."""


class InvalidPacketError(BLEInterfaceError, ValueError):
    """A packet that can never be sent: empty, too long, or no bytes."""


class FrameSizeError(BLEInterfaceError, ValueError):
    """A frame size outside 20 to 512 bytes."""


class SettingError(BLEInterfaceError, ValueError):
    """A setting that does not exist, or has a value it cannot take."""


class InterfaceStateError(BLEInterfaceError, RuntimeError):
    """The call does not fit the interface's state, such as a second start."""


class PeerGoneError(BLEInterfaceError, ConnectionError):
    """The peer has no link any more, so nothing can be sent to it."""
