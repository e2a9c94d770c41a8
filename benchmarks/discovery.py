"""What one advertisement costs whose sender is known: the commonest event of a node in a crowd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from ble_driver import BLEDevice

from ._common import Figure, Row, in_turns, ratio
from ._common.star import Star, a_star

FEW, MANY = 10, 1000
#: How much more one may cost among many than among few, and the share of a core that so many a second may take.
LIMIT, PER_SECOND, SHARE_LIMIT = 1.1, 1000, 0.05
ADVERTISEMENTS_PER_TURN, TURNS = 5000, 41


def rows(quick: bool) -> Iterator[Row]:
    """Measure the advertisements of peers that wait for a place, and of one that is linked."""
    count, turns = (200, 3) if quick else (ADVERTISEMENTS_PER_TURN, TURNS)
    with ExitStack() as stack:
        few, many = (stack.enter_context(a_star(1)) for _ in range(2))
        waiting = {"few": _hears(few, _crowd(FEW), count), "many": _hears(many, _crowd(MANY), count)}
        yield from _rows("waits for a place", waiting, count, turns)
        linked = {"few": _hears(few, _linked(few), count), "many": _hears(many, _linked(many), count)}
        yield from _rows("is linked", linked, count, turns)


def _rows(which: str, sides: dict[str, Callable[[], None]], count: int, turns: int) -> Iterator[Row]:
    in_turns(sides, 1)  # whom nobody knows yet costs more
    seconds = in_turns(sides, turns)
    each = Figure.of([second / count * 1e6 for second in seconds["many"]])
    what, grown = f"an advertisement of a peer that {which}, with {MANY} known", ratio(seconds, "many", "few")
    yield Row("discovery", what, each, "us of CPU", grown, f"of one with {FEW} known", LIMIT)
    share = each.median * 1e-6 * PER_SECOND
    what = f"{PER_SECOND} a second of a peer that {which}"
    yield Row("discovery", what, Figure(share * 100, each.spread), "% of a core", share, "of a core", SHARE_LIMIT)


def _crowd(size: int) -> list[BLEDevice]:
    return [BLEDevice(f"00:B2:00:00:{n >> 8:02X}:{n & 255:02X}", None, -60) for n in range(size)]


def _linked(star: Star) -> list[BLEDevice]:
    return [BLEDevice(star.spokes[0].driver.address, None, -60)]


def _hears(star: Star, devices: list[BLEDevice], count: int) -> Callable[[], None]:
    """Return what has the hub hear so many advertisements, of each device in turn."""
    heard = [devices[n % len(devices)] for n in range(count)]
    discovered = star.hub.driver.on_device_discovered
    assert discovered is not None

    def hear_all() -> None:
        for device in heard:
            discovered(device)

    def run() -> None:
        star.dispatcher.call_soon(hear_all)
        star.dispatcher.run_for(0.001)

    return run
