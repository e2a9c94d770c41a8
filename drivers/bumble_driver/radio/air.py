"""The one place where all controllers of a process meet."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import TYPE_CHECKING

from bumble import hci
from bumble.link import LocalLink

from .advertiser import Advertisement
from .link import TIMEOUT_UNIT, RadioConnection

if TYPE_CHECKING:
    from .controller import RadioController

_ADDRESS_PREFIX = bytes((0x0F, 0x0D))

_RSSI = -50
"""dBm. A neighbour in the same room."""

_FRAMING = 10
"""Bytes around the payload of a packet: preamble, access address, header, CRC (Vol 6, Part B, section 2.1)."""

_GAP = 0.000_150
"""Seconds between two packets, T_IFS (Vol 6, Part B, section 4.1.1)."""


class Air(LocalLink):
    """Carries advertisements to whoever listens and decides when a broken link is noticed.

    ``rng`` draws the advertising delays; pass a seeded one to repeat a run. ``supervision_timeout``, in seconds,
    replaces the timeout that hosts asked for, so that tests need not wait for real ones. ``bit_rate``, in bits per
    second, lets data take its time on the air: 1,000,000 is LE 1M. Without it data is there at once, faster than any
    radio brings it, and than a slow host takes notifications, which nothing else holds back.
    """

    def __init__(
        self,
        *,
        rng: random.Random | None = None,
        supervision_timeout: float | None = None,
        bit_rate: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # bumble: LocalLink.__init__ has no annotations
        self.rng = rng or random.Random()
        self._supervision_timeout = supervision_timeout
        self._bit_rate = bit_rate
        self._serial = itertools.count(1)
        # A dict is an ordered set: who listens is told in the order in which they began, in every run.
        self._listeners: dict[RadioController, None] = {}

    def allocate_address(self) -> hci.Address:
        """The next unused public address."""
        address = _ADDRESS_PREFIX + next(self._serial).to_bytes(4, "big")
        return hci.Address(address[::-1], hci.Address.PUBLIC_DEVICE_ADDRESS)

    def rssi(self, sender: RadioController, receiver: RadioController) -> int:
        """The signal strength, in dBm, with which ``receiver`` hears ``sender``. Override it to model distance."""
        return _RSSI

    def hears(self, sender: RadioController, receiver: RadioController) -> bool:
        """Whether ``receiver`` is within range of ``sender``. Override it to put some out of range."""
        return True

    def airtime(self, length: int) -> float:
        """Return the seconds that a packet with ``length`` bytes takes, with the empty one that acknowledges it."""
        if self._bit_rate is None:
            return 0.0
        return (2 * _FRAMING + length) * 8 / self._bit_rate + 2 * _GAP

    @property
    def has_listeners(self) -> bool:
        """Whether an advertisement would reach anybody; silence costs nothing."""
        return bool(self._listeners)

    def set_listening(self, controller: RadioController, listening: bool) -> None:
        """Note who scans or initiates: only those are told of advertisements."""
        if listening:
            self._listeners[controller] = None
        else:
            self._listeners.pop(controller, None)

    def broadcast(self, advertisement: Advertisement) -> None:
        """One advertising event: everybody who listens hears it now."""
        for listener in tuple(self._listeners):  # hearing it may end an attempt, and with that the listening
            if listener is not advertisement.sender and self.hears(advertisement.sender, listener):
                listener.on_advertisement(advertisement)

    def connect(self, central: RadioConnection, peripheral: RadioConnection) -> None:
        """Make one link of two ends."""
        central.peer, peripheral.peer = peripheral, central

    def cut(self, connection: RadioConnection) -> None:
        """This end falls silent without a word; the other notices when its supervision timeout has passed.

        Core Spec Vol 6, Part B, section 4.5.2.
        """
        peer, connection.peer = connection.peer, None
        if peer is None:
            return
        peer.peer = None
        timeout = self._supervision_timeout
        if timeout is None:
            timeout = peer.parameters.timeout * TIMEOUT_UNIT
        peer.supervision = asyncio.get_running_loop().call_later(
            timeout, peer.radio.on_link_lost, peer, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
        )
