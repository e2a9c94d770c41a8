"""What is known of a node by its advertisements."""

from __future__ import annotations

from ble_driver import BLEDevice

from ..programs.fields import printable

#: What counts as notable: dB of signal, seconds of silence.
NOTABLE_CHANGE, NOTABLE_SILENCE = 10.0, 10.0
#: The weight of one advertisement in the signal that is shown: a single one may be 10 dB off.
SMOOTHING = 0.2


class Sighting:
    """What is known of one node."""

    def __init__(self, device: BLEDevice, now: float) -> None:
        self.device = device
        self.name = device.name
        self.first = self.last = now
        self.advertisements = 0
        self.rssi = self._told_rssi = float(device.rssi) if device.rssi is not None else None

    def heard(self, device: BLEDevice, now: float) -> str | None:
        """Take one advertisement; return what is notable about it, None if nothing is."""
        self.advertisements += 1
        notable = "found" if self.advertisements == 1 else None
        if now - self.last >= NOTABLE_SILENCE:
            notable = f"back after {now - self.last:.0f} s"
        self.last = now
        if device.name is not None and device.name != self.name:  # not every advertisement has the name
            self.name, notable = device.name, "name"
        if device.rssi is not None:
            known = self.rssi if self.rssi is not None else device.rssi
            self.rssi = known + SMOOTHING * (device.rssi - known)
            if self._told_rssi is None or abs(self.rssi - self._told_rssi) >= NOTABLE_CHANGE:
                notable = notable or "signal"
        if notable is not None:
            self._told_rssi = self.rssi
        return notable

    def details(self, now: float) -> dict[str, object]:
        """What a program wants to know: ages are seconds before now."""
        return {
            "address": self.device.address,
            "name": self.name,
            "rssi": round(self.rssi) if self.rssi is not None else None,
            "address_type": self.device.address_type.value,
            "first_heard": round(now - self.first, 3),
            "last_heard": round(now - self.last, 3),
            "advertisements": self.advertisements,
        }

    def __str__(self) -> str:
        signal = f"{self.rssi:4.0f} dBm" if self.rssi is not None else "   ? dBm"
        return f"{self.device.address}  {printable(self.name or '-', 8):<8} {signal}  {self.device.address_type.value}"
