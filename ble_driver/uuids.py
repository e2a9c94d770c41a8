"""UUIDs as they are compared: lower case, 128 bits."""

from __future__ import annotations

from uuid import UUID

from .errors import InvalidUUIDError


def normalise_uuid(uuid: str) -> str:
    """Return a 128-bit UUID in lower case with dashes.

    Raises:
        InvalidUUIDError: it cannot be read as a 128-bit UUID.
    """
    try:
        return str(UUID(uuid))
    except (ValueError, AttributeError, TypeError):
        raise InvalidUUIDError(f"a UUID is 32 hexadecimal digits in groups of 8-4-4-4-12, not {uuid!r}") from None
