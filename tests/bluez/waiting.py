"""Waiting for what nobody announces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

POLL = 0.01


async def until(condition: Callable[[], object], timeout: float, failure: Callable[[], str]) -> None:
    """Return once the condition holds.

    Raises:
        TimeoutError: it does not within `timeout` seconds; `failure` says what is missing.
    """
    try:
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - whatever is waited for lives on a thread or in a process
                await asyncio.sleep(POLL)
    except TimeoutError:
        raise TimeoutError(f"after {timeout:g} s: {failure()}") from None
