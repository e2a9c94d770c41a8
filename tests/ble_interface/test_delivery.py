"""The way up is bounded: an owner that blocks costs its own packets, not our memory."""

from __future__ import annotations

from functools import partial

from ble_driver import VirtualDispatcher
from ble_interface.delivery import OVERHEAD, Delivery


def test_the_oldest_packets_go_first_and_news_never() -> None:
    with VirtualDispatcher() as dispatcher:
        delivery = Delivery(dispatcher.create_worker("owner"), size=10 * (100 + OVERHEAD))
        got: list[str] = []
        delivery.post(0, lambda: got.append("up"))
        for n in range(20):
            delivery.post(100, partial(got.append, f"packet {n}"))
        delivery.post(0, lambda: got.append("down"))
        dispatcher.run_for(1)
        assert got == ["up", *(f"packet {n}" for n in range(10, 20)), "down"]
        assert delivery.dropped == 10
        delivery.post(100, lambda: got.append("there is room again"))
        dispatcher.run_for(1)
        assert got[-1] == "there is room again"
        delivery.close(1)
