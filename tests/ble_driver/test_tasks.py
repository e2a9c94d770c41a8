"""Bounded waits."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from ble_driver.tasks import within


def test_it_returns_raises_and_ends_in_time() -> None:
    async def fail() -> None:
        raise ValueError("on purpose")

    async def case() -> None:
        assert await within(1.0, asyncio.sleep(0, "result")) == "result"
        with pytest.raises(ValueError, match="on purpose"):
            await within(1.0, fail())
        with pytest.raises(TimeoutError, match=r"no answer within 0\.02 s"):
            await within(0.02, asyncio.sleep(3600))

    asyncio.run(case())


def test_what_ignores_its_end_is_left_behind_and_what_it_raises_is_taken_note_of() -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError("nobody listens any more")

    async def case() -> None:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            await within(0.02, stubborn(), grace=0.02)
        assert time.monotonic() - begun < 2.0
        release.set()
        await asyncio.sleep(0.01)

    asyncio.run(case())


def test_what_gives_itself_up_does_not_end_who_waits_for_it() -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    async def case() -> None:
        with pytest.raises(TimeoutError, match="given up"):
            await within(1.0, give_up())

    asyncio.run(case())


def test_who_is_cancelled_takes_it_along_and_lets_it_clean_up() -> None:
    cleaned: list[bool] = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)

    async def case() -> None:
        waiting = asyncio.ensure_future(within(3600, tidy(), grace=1.0))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert cleaned == [True]

    asyncio.run(case())


def test_an_answer_that_a_blocked_loop_has_not_read_yet_counts() -> None:
    async def case() -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        blocked = threading.Event()

        def reply() -> None:
            blocked.wait()
            loop.call_soon_threadsafe(answer.set_result, "there")

        thread = threading.Thread(target=reply)
        thread.start()

        async def pass_on() -> str:  # takes some turns of the loop more, as every library does
            for _ in range(3):
                await asyncio.sleep(0)
            result = await answer
            for _ in range(3):
                await asyncio.sleep(0)
            return result

        def block() -> None:
            blocked.set()
            time.sleep(0.3)

        loop.call_later(0.02, block)
        try:
            return await within(0.2, pass_on())
        finally:
            thread.join()

    assert asyncio.run(case()) == "there"
