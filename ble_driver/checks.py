"""What every driver refuses at once, with the words that tell the caller what to change."""

from __future__ import annotations

from .errors import DataTypeError, FrameTooLargeError, InvalidFrameError, InvalidIdentityError, InvalidOptionError

#: Length of an identity in bytes (PROTOCOL.md, Link set-up).
IDENTITY_LENGTH = 16
#: The most bytes of a local name that fit beside flags and a 128-bit UUID in 31 (PROTOCOL.md, Advertising).
MAX_NAME = 8


def as_bytes(data: object, what: str) -> bytes:
    """Return `data` as bytes; a bytearray or memoryview is copied, so that its owner may change it afterwards.

    Raises:
        DataTypeError: it is something else.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise DataTypeError(f"{what} must be bytes, not {type(data).__name__}")


def check_identity(identity: object) -> bytes:
    """Return an identity as bytes.

    Raises:
        DataTypeError: it is not bytes.
        InvalidIdentityError: it is not 16 bytes long.
    """
    data = as_bytes(identity, "an identity")
    if len(data) != IDENTITY_LENGTH:
        raise InvalidIdentityError(f"an identity is exactly {IDENTITY_LENGTH} bytes, not {len(data)}")
    return data


def check_frame(frame: object, limit: int, address: str) -> bytes:
    """Return a frame as bytes if a link that takes `limit` bytes can carry it.

    Raises:
        DataTypeError: it is not bytes.
        InvalidFrameError: it is empty.
        FrameTooLargeError: it is longer than `limit`.
    """
    data = as_bytes(frame, "a frame")
    if not data:
        raise InvalidFrameError("a frame must have at least one byte")
    if len(data) > limit:
        raise FrameTooLargeError(f"a frame of {len(data)} bytes to {address} is over the {limit} of this link")
    return data


def check_device_name(name: str | None) -> str | None:
    """Return a local name that fits into an advertisement; an empty one means none.

    Raises:
        InvalidOptionError: it is longer than 8 bytes in UTF-8, or no string.
    """
    if name is None or name == "":
        return None
    if not isinstance(name, str) or len(name.encode()) > MAX_NAME:
        raise InvalidOptionError(f"a device name has at most {MAX_NAME} bytes, to fit into an advertisement: {name!r}")
    return name


def check_seconds(name: str, value: float) -> float:
    """Return a positive duration in seconds.

    Raises:
        InvalidOptionError: it is no number above zero.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise InvalidOptionError(f"{name} must be a number of seconds above 0, not {value!r}")
    return float(value)
