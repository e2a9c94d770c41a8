"""How much one ATT packet carries: the numbers every driver and the protocol above must agree on."""

from __future__ import annotations

from .errors import InvalidMTUError

#: The MTU of every LE link before it is exchanged, in bytes (Core Spec 5.4, Vol 3, Part G, 5.2.1).
DEFAULT_MTU = 23
#: The largest MTU that is of use, in bytes: an attribute of 512 bytes plus the 5 of a prepared write.
MAX_MTU = 517
#: Opcode and handle before the value of a write or notification, in bytes (Core Spec 5.4, Vol 3, Part F, 3.4.5.3).
ATT_HEADER = 3
#: The longest frame sent, in bytes: BlueZ 5.66 refuses or drops writes of 511 and 512 (PROTOCOL.md, Frames).
MAX_FRAME = 510


def check_mtu(mtu: int) -> int:
    """Return `mtu` if it is an ATT MTU in bytes (23 to 517).

    Raises:
        InvalidMTUError: it is not a whole number in that range.
    """
    if not isinstance(mtu, int) or isinstance(mtu, bool) or not DEFAULT_MTU <= mtu <= MAX_MTU:
        raise InvalidMTUError(f"ATT MTU must be a whole number from {DEFAULT_MTU} to {MAX_MTU}, not {mtu!r}")
    return mtu


def clamp_mtu(mtu: int) -> int:
    """Return the ATT MTU in bytes that is nearest to what a system or a peer has told (23 to 517)."""
    return max(DEFAULT_MTU, min(mtu, MAX_MTU))


def frame_size(mtu: int) -> int:
    """Return the longest frame, in bytes, that one write or notification carries at this ATT MTU.

    Raises:
        InvalidMTUError: `mtu` is out of range.
    """
    return min(check_mtu(mtu) - ATT_HEADER, MAX_FRAME)
