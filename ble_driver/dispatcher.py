"""The one place where things change: what a driver and the protocol above it need of their event loop.

A driver, its callbacks and the interface that listens to them share one dispatcher, so that none of them needs a lock
for what it owns. In a program that dispatcher is a thread (`AsyncDispatcher`); in a test it is a loop on virtual time
that the test itself drives (`VirtualDispatcher`).
"""

from __future__ import annotations

import concurrent.futures
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import DriverStateError

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger(__name__)

T = TypeVar("T")


class DispatcherClosedError(DriverStateError):
    """Work was handed to a dispatcher that is closed or was never started."""


class Timer(ABC):
    """A pending `Dispatcher.call_later`."""

    @abstractmethod
    def cancel(self) -> None:
        """Forget the call; from any thread, however often, before or after it was made."""


class Worker(ABC):
    """Runs calls one after the other, off the dispatcher: for code above that may block."""

    @abstractmethod
    def post(self, function: Callable[..., object], *args: object) -> None:
        """Queue one call; from any thread. After `close` it is dropped."""

    @abstractmethod
    def close(self, timeout: float) -> None:
        """Take no more calls, make those that wait if `timeout` seconds suffice, and none after.

        Called from one of its own calls, it drops those that wait.
        """


class Dispatcher(ABC):
    """An event loop that may be reached from any thread."""

    @abstractmethod
    def start(self) -> None:
        """Begin to run; harmless when it runs already."""

    @abstractmethod
    def close(self, timeout: float = 2.0) -> None:
        """Cancel what is pending and end within `timeout` seconds; harmless when closed."""

    @abstractmethod
    def time(self) -> float:
        """Return the monotonic time of this dispatcher in seconds."""

    @property
    @abstractmethod
    def is_current(self) -> bool:
        """Whether the caller runs on the dispatcher, so that it must not wait for it."""

    @abstractmethod
    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` on the dispatcher, after everything that was handed in before; from any thread.

        Raises:
            DispatcherClosedError: the dispatcher does not run.
        """

    @abstractmethod
    def call_later(self, delay: float, function: Callable[..., object], *args: object) -> Timer:
        """Call `function` on the dispatcher in `delay` seconds; from any thread.

        Raises:
            DispatcherClosedError: the dispatcher does not run.
        """

    @abstractmethod
    def spawn(self, coroutine: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        """Run a coroutine as a task of the dispatcher and log what it raises; only from the dispatcher itself."""

    @abstractmethod
    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the dispatcher, from any thread or loop, itself included; do not block on it there.

        Returns:
            A future that carries result or exception; `asyncio.wrap_future` makes it awaitable in any loop. Cancelling
            it cancels the coroutine. An exception that nobody has taken from it by the time it is dropped is logged.
            When the dispatcher closes, it is cancelled.

        Raises:
            DispatcherClosedError: the dispatcher does not run.
        """

    @abstractmethod
    async def sleep(self, delay: float) -> None:
        """Let `delay` seconds of this dispatcher's time pass; from any loop.

        Raises:
            DispatcherClosedError: the dispatcher does not run, or was closed meanwhile.
        """

    @abstractmethod
    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float) -> T:
        """Run a coroutine on the dispatcher and return its result; from any other thread.

        Raises:
            DriverStateError: called from the dispatcher, which would wait for itself.
            TimeoutError: it took longer than `timeout` seconds; it has been cancelled.
            DispatcherClosedError: the dispatcher does not run.
        """

    @abstractmethod
    def create_worker(self, name: str) -> Worker:
        """Return a worker that runs calls in order, off this dispatcher."""


def call_isolated(function: Callable[..., object], args: tuple[object, ...]) -> None:
    """Call `function` and log what it raises: one bad callback must not take the loop with it."""
    try:
        function(*args)
    except Exception:
        logger.exception("a call handed to the dispatcher raised: %r", function)
