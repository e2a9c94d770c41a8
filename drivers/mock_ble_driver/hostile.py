"""A node that means harm: it speaks GATT directly and keeps to no protocol."""

from __future__ import annotations

from .driver import MockBLEDriver


class HostileNode(MockBLEDriver):
    """A radio that tells whatever identity it likes and writes whatever it likes, of any length and at any time.

    Attributes:
        told: what is answered when the identity is read, of any length; None refuses.
    """

    told: bytes | None = None

    def tell_identity(self) -> bytes | None:
        return self.told

    def write(self, address: str, value: bytes) -> bool:
        """Write, or notify, these bytes to a peer at once; return whether there was a link."""
        link = self._links.get(address)
        if link is None or link.peer is None or link.other is None:
            return False
        link.peer._report_frame(link.other, value)
        return True
