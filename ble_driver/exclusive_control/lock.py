"""The lock around several operations of one client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..errors import DriverStateError
from ..tasks import current_task
from .turns import Kind, Turn, Turns


class OperationLock:
    """Keeps other clients away from the adapter, while the scanner goes on; for one task at a time, in order.

    Within it the task that holds it may run `client_operation` or the ``request_…`` and ``notify_…`` calls, and stop
    the scanner itself. `force_reset` takes it away as well; releasing it afterwards disturbs nobody.
    """

    def __init__(self, turns: Turns, wait_for: Callable[[Turn, float | None], Awaitable[None]]) -> None:
        self._turns = turns
        self._wait_for = wait_for
        self._held: list[Turn] = []  # and those that wait for it

    def locked(self) -> bool:
        """Whether a client operates now, with this lock or without."""
        return any(turn.kind is not Kind.SCAN for turn in self._turns.active)

    async def acquire(self, timeout: float | None = None) -> bool:
        """Wait for the lock; always true, as with `asyncio.Lock`.

        Args:
            timeout: seconds to wait at most, by default the manager's `client_completion_timeout`.

        Raises:
            ExclusiveControlTimeoutError: it was not free in time.
            DriverStateError: this task holds it already, and would wait for itself.
        """
        self._turns.refuse_nesting(Kind.LOCK)
        turn = self._turns.enqueue(Kind.LOCK, scoped=True)
        self._held.append(turn)
        try:
            await self._wait_for(turn, timeout)
        except BaseException:
            self._end(turn)
            raise
        return True

    def release(self) -> None:
        """Give the lock back.

        Raises:
            DriverStateError: this task does not hold it. A wrapper such as `asyncio.wait_for` may acquire it in a
                task of its own; once that task has ended, any other may release.
        """
        task = current_task()
        held = [t for t in self._held if t.owner is task] or [t for t in self._held if t.owner and t.owner.done()]
        if not held:
            raise DriverStateError("the operation lock is not held by this task: release it where it was acquired")
        self._end(held[-1])

    def _end(self, turn: Turn) -> None:
        self._held.remove(turn)
        self._turns.finish(turn)

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.release()
