"""Device addresses: one spelling for each, and what their bits say."""

from __future__ import annotations

import re
from enum import Enum

from .errors import InvalidAddressError

_ADDRESS = re.compile(r"[0-9A-F]{2}(?:[:-][0-9A-F]{2}){5}")


class AddressType(Enum):
    """Whether an address was given to the device by its maker or made up by its host.

    UNKNOWN is what a driver says when its platform hides the type.
    """

    PUBLIC = "public"
    RANDOM = "random"
    UNKNOWN = "unknown"


def normalise_address(address: str) -> str:
    """Return `address` as six upper-case octets joined by colons, such as ``AA:BB:CC:DD:EE:FF``.

    Raises:
        InvalidAddressError: it is not six hexadecimal octets joined by colons or dashes.
    """
    if isinstance(address, str):
        text = address.strip().upper()
        if _ADDRESS.fullmatch(text):
            return text.replace("-", ":")
    raise InvalidAddressError(f"a device address has the form AA:BB:CC:DD:EE:FF, not {address!r}")


def address_to_int(address: str) -> int:
    """Return the address as the 48-bit integer by which the protocol orders nodes (PROTOCOL.md, Who dials).

    Raises:
        InvalidAddressError: see `normalise_address`.
    """
    return int(normalise_address(address).replace(":", ""), 16)
