"""The states of a link, and which may follow which.

    DIALLING ──► UNKNOWN ──► ACTIVE ──► DRAINING ──► CLOSING ──► GONE
                    └──► WAITING ──┘

From every state the link may break (GONE), and every link that is up may be given up (CLOSING).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum

from .errors import BLEInterfaceError

logger = logging.getLogger(__name__)


class ConnectionState(Enum):
    """What a link is, and so what may pass over it."""

    #: We dial: there is no link yet, but it takes a place.
    DIALLING = "dialling"
    #: It is up, and the peer has not told its identity.
    UNKNOWN = "unknown"
    #: It claims an identity that has a live link, and waits whether that one ends. What arrives is held back.
    WAITING = "waiting"
    #: It carries the packets of its peer.
    ACTIVE = "active"
    #: Another link has taken over. Nothing more is sent, what arrives is taken.
    DRAINING = "draining"
    #: The driver was told to end it. Nothing is sent and nothing taken.
    CLOSING = "closing"
    #: There is no link any more.
    GONE = "gone"


#: The states that may follow each state. All others are bugs of this package.
LEGAL: dict[ConnectionState, frozenset[ConnectionState]] = {
    ConnectionState.DIALLING: frozenset({ConnectionState.UNKNOWN, ConnectionState.GONE}),
    ConnectionState.UNKNOWN: frozenset(
        {ConnectionState.ACTIVE, ConnectionState.WAITING, ConnectionState.CLOSING, ConnectionState.GONE}
    ),
    ConnectionState.WAITING: frozenset({ConnectionState.ACTIVE, ConnectionState.CLOSING, ConnectionState.GONE}),
    ConnectionState.ACTIVE: frozenset({ConnectionState.DRAINING, ConnectionState.CLOSING, ConnectionState.GONE}),
    ConnectionState.DRAINING: frozenset({ConnectionState.CLOSING, ConnectionState.GONE}),
    ConnectionState.CLOSING: frozenset({ConnectionState.GONE}),
    ConnectionState.GONE: frozenset(),
}


class IllegalTransitionError(BLEInterfaceError):
    """A link was to go from one state to another that may not follow: a bug of this package."""


def _log(error: IllegalTransitionError) -> None:
    logger.error("%s", error)


#: What happens on an illegal transition. A mesh in the field is better served by a link in a doubtful state than by an
#: exception in the middle of a callback, so it is logged; the test suite replaces this by a function that raises.
on_illegal: Callable[[IllegalTransitionError], None] = _log


def check_transition(old: ConnectionState, new: ConnectionState, address: str) -> None:
    """Report to `on_illegal` if `new` may not follow `old`."""
    if new not in LEGAL[old]:
        on_illegal(IllegalTransitionError(f"the link to {address} cannot go from {old.value} to {new.value}"))
