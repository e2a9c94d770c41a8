"""A driver whose radio is a directory of Unix sockets."""

from .driver import SocketDriver

__all__ = ["SocketDriver"]
