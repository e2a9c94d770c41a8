"""The facts of the wire that scenarios use; no driver is asked for them, so that none can be wrong unnoticed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

SERVICE = "37145b00-442d-4a94-917f-8f42c5da28e3"
TX = "37145b00-442d-4a94-917f-8f42c5da28e4"
RX = "37145b00-442d-4a94-917f-8f42c5da28e5"
IDENTITY = "37145b00-442d-4a94-917f-8f42c5da28e6"
#: In the order in which a driver's `start` takes them.
UUIDS = (SERVICE, RX, TX, IDENTITY)


def frames(count: int, size: int) -> list[bytes]:
    """Return frames that differ from each other and tell their place."""
    return [_frame(number, size) for number in range(count)]


def judge(received: Sequence[bytes]) -> dict[str, int]:
    """Compare what arrived with `frames`.

    Returns:
        count: how many arrived; distinct: how many different ones; wrong: how many that were never sent like this;
        late: how many came after one that was sent later.
    """
    numbers = [int.from_bytes(frame[:4], "big") for frame in received]
    wrong = sum(frame != _frame(number, len(frame)) for number, frame in zip(numbers, received, strict=True))
    late, highest = 0, -1
    for number in numbers:
        late += number < highest
        highest = max(highest, number)
    return {"count": len(numbers), "distinct": len(set(numbers)), "wrong": wrong, "late": late}


def _frame(number: int, size: int) -> bytes:
    return number.to_bytes(4, "big") + bytes([number * 7 & 0xFF]) * (size - 4)


def traffic(seed: int, count: int, hub: str, spokes: Sequence[str]) -> list[tuple[str, list[str], bytes]]:
    """Return random packets of 1 to 500 bytes in a star: sender, recipients, bytes.

    One in ten goes from the hub to all; of the others, half go from the hub to one, half from one to the hub.
    """
    rng = random.Random(seed)
    packets: list[tuple[str, list[str], bytes]] = []
    for _ in range(count):
        spoke, kind = rng.choice(spokes), rng.random()
        sender, to = (hub, list(spokes)) if kind < 0.1 else (hub, [spoke]) if kind < 0.55 else (spoke, [hub])
        packets.append((sender, to, rng.randbytes(rng.randint(1, 500))))
    return packets


def digest(packet: bytes) -> str:
    """Return what tells packets apart in a report."""
    return hashlib.sha256(packet).hexdigest()[:16]
