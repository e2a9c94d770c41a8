"""What a driver tells of itself: plain values under names that a person can read and JSON can carry."""

from __future__ import annotations

from typing import TypedDict

from .exclusive_control import ExclusiveControlStatus
from .recovery import RecoveryStatus


class DriverStatus(TypedDict):
    """What every driver tells.

    Attributes:
        state: what the radio does: "scanning", "advertising", both or neither.
        address: what peers see as its address, None while that is unknown.
        connected: the addresses to which there is a link.
        connecting: the addresses to which an attempt is under way.
    """

    state: list[str]
    address: str | None
    connected: list[str]
    connecting: list[str]


class RadioStatus(DriverStatus):
    """What a `BaseDriver` tells besides.

    Attributes:
        radio_up: the radio is open.
        error: what is wrong with the radio now, in words; None if nothing is.
        exclusive_control: who has the adapter.
        recovery: what was done to keep the radio well.
    """

    radio_up: bool
    error: str | None
    exclusive_control: ExclusiveControlStatus
    recovery: RecoveryStatus
