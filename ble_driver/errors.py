"""Every error a driver or its caller can meet, each with a name of its own.

Errors of arguments also derive from ``ValueError`` or ``TypeError``, so that code which knows only Python's own
exceptions still catches them. Every message says what was wrong and what to change.
"""

from __future__ import annotations


class BLEDriverError(Exception):
    """Base of all errors raised or reported by a driver."""


# --- what the caller got wrong ---------------------------------------------------------------------------------------


class InvalidAddressError(BLEDriverError, ValueError):
    """A device address that is not six hexadecimal octets."""


class InvalidUUIDError(BLEDriverError, ValueError):
    """A service or characteristic UUID that cannot be read as one."""


class InvalidIdentityError(BLEDriverError, ValueError):
    """An identity that is not exactly 16 bytes."""


class InvalidMTUError(BLEDriverError, ValueError):
    """An ATT MTU outside 23 to 517."""


class InvalidOptionError(BLEDriverError, ValueError):
    """A driver option that does not exist or has a value it cannot take."""


class InvalidFrameError(BLEDriverError, ValueError):
    """A frame that can never be sent, such as an empty one."""


class FrameTooLargeError(InvalidFrameError):
    """A frame longer than the link's ATT MTU allows."""


class DataTypeError(BLEDriverError, TypeError):
    """Something other than bytes where bytes are needed."""


class UnknownDriverError(BLEDriverError, LookupError):
    """No installed driver has this name."""


class MissingExtraError(BLEDriverError, ImportError):
    """The driver is known, but the library under it is not installed."""


# --- what the state of things forbids --------------------------------------------------------------------------------


class DriverStateError(BLEDriverError, RuntimeError):
    """The call does not fit the driver's state, such as a send on a stopped driver."""


class NotConnectedError(BLEDriverError, ConnectionError):
    """There is no link to this address."""


class SendQueueFull(BLEDriverError):
    """The peer's send queue is at its bound; ``on_send_ready`` follows once there is room."""


# --- what the radio reports ------------------------------------------------------------------------------------------


class RadioError(BLEDriverError):
    """The radio (adapter, daemon, operating system) cannot do what it was asked; reported by ``on_error``."""


class NoAnswerError(RadioError):
    """The radio did not answer a command in time. Opening it anew may help where trying again would not."""


class DispatcherBlockedError(BLEDriverError):
    """A callback did not return for so long that the radio was not looked after; reported once it has returned."""


class AdapterLockError(RadioError):
    """The adapter's lock is another program's, or cannot be asked for; reported by ``on_error``."""


class LinkError(BLEDriverError, ConnectionError):
    """Base of the reasons why an attempt to connect ended without a link."""


class ConnectTimeoutError(LinkError, TimeoutError):
    """The peer did not answer within the connect timeout."""


class ConnectCancelledError(LinkError):
    """The attempt was given up by ``disconnect`` before it succeeded."""


class LinkRaceError(LinkError):
    """Something else on this node or in its radio got in the way of the attempt; it says nothing of the peer."""


class PeerRefusedError(LinkError):
    """The peer answered, but ended the link while it was being set up."""


class NotOurServiceError(LinkError):
    """The peer lacks the service or a characteristic, or its identity cannot be read."""


class OwnIdentityError(LinkError):
    """The peer has our own identity: it is this node, or a copy of it."""
