"""Both dispatchers: the same promises on real and on virtual time."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import logging
import queue
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator

import pytest

from ble_driver import (
    AsyncDispatcher,
    ConnectTimeoutError,
    Dispatcher,
    DispatcherClosedError,
    DriverStateError,
    Timer,
    VirtualDispatcher,
)

Settle = Callable[[float], object]


@pytest.fixture(params=["real", "virtual"])
def any_dispatcher(request: pytest.FixtureRequest) -> Iterator[tuple[Dispatcher, Settle]]:
    """A dispatcher, and how to let time pass for it: its own, so that it may be as late as it likes."""
    dispatcher: Dispatcher = VirtualDispatcher() if request.param == "virtual" else AsyncDispatcher()
    dispatcher.start()
    yield dispatcher, lambda seconds: dispatcher.run(asyncio.sleep(seconds), 60)
    dispatcher.close()


def test_calls_are_made_in_order_on_the_dispatcher(any_dispatcher: tuple[Dispatcher, Settle]) -> None:
    dispatcher, settle = any_dispatcher
    made: list[int] = []
    where: list[bool] = []
    for n in range(100):
        dispatcher.call_soon(lambda n=n: made.append(n))
    dispatcher.call_soon(lambda: where.append(dispatcher.is_current))
    assert not dispatcher.is_current
    settle(0.1)
    assert made == list(range(100))
    assert where == [True]


def test_timers_fire_once_in_time_order_or_never_when_cancelled(any_dispatcher: tuple[Dispatcher, Settle]) -> None:
    dispatcher, settle = any_dispatcher
    fired: list[tuple[str, bool]] = []

    def fire(name: str, due: float) -> None:
        fired.append((name, dispatcher.time() >= due - 0.001))

    def set_all() -> None:
        now = dispatcher.time()
        for delay, name in ((0.10, "late"), (0.05, "early")):
            dispatcher.call_later(delay, fire, name, now + delay)
        cancelled = dispatcher.call_later(0.07, fire, "never", now)
        for _ in range(2):
            dispatcher.call_later(0.06, cancelled.cancel)

    dispatcher.call_soon(set_all)
    settle(0.3)
    assert fired == [("early", True), ("late", True)]


def test_a_call_that_raises_harms_nothing(
    any_dispatcher: tuple[Dispatcher, Settle], caplog: pytest.LogCaptureFixture
) -> None:
    dispatcher, settle = any_dispatcher
    made: list[str] = []

    def fail() -> None:
        raise RuntimeError("this call is broken")

    async def fail_too() -> None:
        raise RuntimeError("this task is broken")

    dispatcher.call_soon(fail)
    dispatcher.call_later(0.01, fail)
    dispatcher.call_soon(lambda: dispatcher.spawn(fail_too()))
    dispatcher.call_later(0.02, made.append, "still alive")
    settle(0.1)
    assert made == ["still alive"]
    assert caplog.text.count("this call is broken") >= 2
    assert "this task is broken" in caplog.text


def test_run_returns_raises_times_out_and_refuses_to_wait_for_itself(any_dispatcher: tuple[Dispatcher, Settle]) -> None:
    dispatcher, settle = any_dispatcher

    async def double(n: int) -> int:
        await asyncio.sleep(0.01)
        if n < 0:
            raise ValueError("negative")
        return 2 * n

    assert dispatcher.run(double(21), 5) == 42
    with pytest.raises(ValueError, match="negative"):
        dispatcher.run(double(-1), 5)
    with pytest.raises(TimeoutError, match="not done within"):
        dispatcher.run(asyncio.sleep(10), 0.05)

    async def time_out() -> None:
        raise ConnectTimeoutError("the peer did not answer")

    with pytest.raises(ConnectTimeoutError, match="the peer did not answer"):
        dispatcher.run(time_out(), 5)
    caught: list[BaseException] = []

    def inside() -> None:
        try:
            dispatcher.run(double(1), 5)
        except DriverStateError as error:
            caught.append(error)

    dispatcher.call_soon(inside)
    settle(0.1)
    assert "cannot wait for itself" in str(caught[0])


def test_a_worker_makes_calls_in_order_and_none_after_close(any_dispatcher: tuple[Dispatcher, Settle]) -> None:
    dispatcher, settle = any_dispatcher
    worker = dispatcher.create_worker("worker")
    made: list[int] = []
    for n in range(50):
        worker.post(made.append, n)
    worker.post(lambda: 1 / 0)
    worker.post(made.append, 50)
    worker.close(timeout=5)  # what waits is done first
    assert made == list(range(51))
    worker.post(made.append, 51)
    settle(0.05)
    assert made == list(range(51))


def test_calls_from_many_threads_all_arrive() -> None:
    dispatcher = AsyncDispatcher()
    dispatcher.start()
    seen: list[tuple[int, int]] = []

    def post(thread: int) -> None:
        for n in range(500):
            dispatcher.call_soon(seen.append, (thread, n))

    threads = [threading.Thread(target=post, args=(t,)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    dispatcher.run(asyncio.sleep(0), 5)
    dispatcher.close()
    assert len(seen) == 4000
    assert all([n for t, n in seen if t == thread] == list(range(500)) for thread in range(8))


def test_a_timer_may_be_cancelled_from_another_thread() -> None:
    dispatcher = AsyncDispatcher()
    dispatcher.start()
    fired: list[int] = []
    timers: queue.SimpleQueue[Timer] = queue.SimpleQueue()
    cancelled = threading.Event()

    def hold() -> None:
        timers.put(dispatcher.call_later(0.01, fired.append, 1))
        cancelled.wait(10)

    dispatcher.call_soon(hold)
    timers.get(timeout=10).cancel()
    cancelled.set()
    dispatcher.run(asyncio.sleep(0.05), 10)
    dispatcher.close()
    assert fired == []


def test_close_cancels_waits_and_may_be_repeated_and_undone() -> None:
    dispatcher = AsyncDispatcher("to-be-closed")
    ended: list[str] = []

    async def wait_for_ever() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")

    for _ in range(3):
        dispatcher.start()
        dispatcher.start()
        dispatcher.call_soon(lambda: dispatcher.spawn(wait_for_ever()))
        dispatcher.run(asyncio.sleep(0.01), 5)
        dispatcher.close()
        dispatcher.close()
        assert not [t for t in threading.enumerate() if t.name == "to-be-closed"]
        with pytest.raises(DispatcherClosedError):
            dispatcher.call_soon(print)
    assert ended == ["cancelled"] * 3


def test_close_from_a_callback_does_not_wait_for_itself() -> None:
    dispatcher = AsyncDispatcher("closes-itself")
    dispatcher.start()
    dispatcher.call_soon(dispatcher.close)
    deadline = time.monotonic() + 5
    while [t for t in threading.enumerate() if t.name == "closes-itself"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_callback_may_close_the_dispatcher_and_start_it_again() -> None:
    dispatcher = AsyncDispatcher("starts-again")
    dispatcher.start()
    (first,) = [t for t in threading.enumerate() if t.name == "starts-again"]
    again = threading.Event()

    def renew() -> None:
        dispatcher.close()
        dispatcher.start()
        again.set()

    dispatcher.call_soon(renew)
    assert again.wait(5)
    first.join(5)
    assert not first.is_alive()
    done = threading.Event()
    dispatcher.call_later(0.05, done.set)
    assert done.wait(5)
    dispatcher.close()


def test_a_blocked_dispatcher_is_closed_in_time_and_named(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = AsyncDispatcher()
    dispatcher.start()
    release = threading.Event()

    def block() -> None:
        release.wait(10)

    dispatcher.call_soon(block)
    begun = time.monotonic()
    with caplog.at_level(logging.ERROR):
        dispatcher.close(timeout=0.3)
    assert time.monotonic() - begun < 2
    assert "it is blocked in" in caplog.text
    assert "in block" in caplog.text
    release.set()


def test_virtual_time_passes_only_when_told_and_then_exactly() -> None:
    with VirtualDispatcher() as dispatcher:
        begun = time.monotonic()
        times: list[float] = []

        def tick() -> None:
            times.append(dispatcher.time())
            dispatcher.call_later(60, tick)

        dispatcher.call_later(60, tick)
        assert dispatcher.time() == 0
        dispatcher.run_for(3601)
        assert [round(at, 3) for at in times] == [60.0 * n for n in range(1, 61)]
        assert all(at >= 60.0 * n for n, at in enumerate(times, 1))  # never too early
        assert not dispatcher.run_until(lambda: False, timeout=100)
        assert dispatcher.run_until(lambda: len(times) == 70, timeout=1000)
        assert time.monotonic() - begun < 5


# --- coroutines from elsewhere ----------------------------------------------------------------------------------------


def test_a_coroutine_may_be_awaited_from_another_running_loop(any_dispatcher: tuple[Dispatcher, Settle]) -> None:
    dispatcher, _ = any_dispatcher
    if isinstance(dispatcher, VirtualDispatcher):
        future = dispatcher.submit(asyncio.sleep(30, "slept"))
        assert dispatcher.run_until(future.done, 31)
        assert future.result() == "slept"
        return

    async def elsewhere() -> tuple[str, bool]:
        async def inside() -> bool:
            return dispatcher.is_current

        await dispatcher.sleep(0.01)
        slept = await asyncio.wrap_future(dispatcher.submit(asyncio.sleep(0.01, "slept")))
        return slept, await asyncio.wrap_future(dispatcher.submit(inside()))

    assert asyncio.run(elsewhere()) == ("slept", True)
    # And from the dispatcher's own loop, where waiting for the result would never end.
    assert dispatcher.run(elsewhere(), 5) == ("slept", True)


def test_sleep_is_on_the_dispatchers_time() -> None:
    with VirtualDispatcher() as dispatcher:
        begun = time.monotonic()
        dispatcher.run(dispatcher.sleep(3600), 4000)
        assert 3600 <= dispatcher.time() < 3601
        assert time.monotonic() - begun < 5


def test_a_cancelled_future_cancels_the_coroutine() -> None:
    dispatcher, ended = AsyncDispatcher(), threading.Event()
    dispatcher.start()

    async def wait_for_ever() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    future = dispatcher.submit(wait_for_ever())
    dispatcher.run(asyncio.sleep(0), 5)
    assert future.cancel()
    assert ended.wait(5)
    dispatcher.close()


def test_an_exception_that_nobody_looks_at_is_logged_and_others_are_not(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = AsyncDispatcher()
    dispatcher.start()

    async def fail(text: str) -> None:
        raise ValueError(text)

    async def fail_late() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise ValueError("while it was cancelled")

    seen = dispatcher.submit(fail("seen"))
    assert isinstance(seen.exception(5), ValueError)
    unseen = dispatcher.submit(fail("unseen"))
    cancelled = dispatcher.submit(fail_late())
    dispatcher.run(asyncio.sleep(0.01), 5)
    assert unseen.done()
    cancelled.cancel()
    dispatcher.run(asyncio.sleep(0.01), 5)
    del seen, unseen, cancelled
    dispatcher.close()
    gc.collect()
    assert "unseen" in caplog.text
    assert "while it was cancelled" in caplog.text
    assert "ValueError: seen" not in caplog.text


def test_nobody_waits_for_a_dispatcher_that_was_closed(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = AsyncDispatcher()
    dispatcher.start()
    under_way = dispatcher.submit(asyncio.sleep(3600))
    gate = threading.Event()

    async def close_and_block() -> None:
        loop = asyncio.get_running_loop()
        loop.stop()  # this turn is the last one
        gate.wait(5)

    dispatcher.submit(close_and_block())
    time.sleep(0.05)
    too_late = dispatcher.submit(asyncio.sleep(0))
    gate.set()
    assert wait_for_cancelled(too_late)
    dispatcher_two = AsyncDispatcher()
    dispatcher_two.start()
    other = dispatcher_two.submit(asyncio.sleep(3600))
    dispatcher_two.close()
    assert wait_for_cancelled(other)
    with pytest.raises(DispatcherClosedError):
        dispatcher_two.submit(asyncio.sleep(0))
    with pytest.raises(DispatcherClosedError):
        dispatcher_two.run(asyncio.sleep(0), 1)
    assert wait_for_cancelled(under_way)


def wait_for_cancelled(future: concurrent.futures.Future[None]) -> bool:
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(5)
    return future.cancelled()


def test_what_does_not_stop_is_named_and_left(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = AsyncDispatcher()
    dispatcher.start()
    release = threading.Event()

    async def stubborn() -> None:
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    future = dispatcher.submit(stubborn())
    dispatcher.run(asyncio.sleep(0), 5)
    begun = time.monotonic()
    with caplog.at_level(logging.ERROR), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a task that is destroyed while it runs
        dispatcher.close(0.4)
        assert time.monotonic() - begun < 2
        assert "did not end within 0.2 s of being cancelled" in caplog.text
        assert "stubborn" in caplog.text
        release.set()
        assert wait_for_cancelled(future)


def test_cancelled_timers_are_swept_out_of_virtual_time_and_no_others() -> None:
    with VirtualDispatcher() as dispatcher:
        called: list[int] = []
        kept: weakref.WeakSet[Reminder] = weakref.WeakSet()
        for n in range(5000):
            reminder = Reminder(called, n)
            kept.add(reminder)
            timer = dispatcher.call_later(1.0 + n / 1000, reminder)
            if n % 10:
                timer.cancel()
        assert len(kept) < 2500
        dispatcher.run_for(10.0)
        assert called == list(range(0, 5000, 10))


class Reminder:
    def __init__(self, called: list[int], number: int) -> None:
        self._called, self._number = called, number

    def __call__(self) -> None:
        self._called.append(self._number)
