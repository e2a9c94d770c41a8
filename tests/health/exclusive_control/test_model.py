"""Every interleaving of scans, clients, locks, resets and cancellations that hypothesis can think of.

The machine keeps a picture of its own of who uses the radio, written by the operations themselves, and compares: never
a scan and a client at once, never a place lost in the queue, never everybody waiting.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ble_driver import VirtualDispatcher
from ble_driver.exclusive_control import ExclusiveControlManager, ExclusiveControlTimeoutError, Turn

CLIENT, SCAN = "client", "scan"


class SomethingWentWrong(Exception):
    """What an operation raises when the machine wants it to fail."""


@dataclass(eq=False)
class Op:
    """One user of the adapter, as the machine sees it."""

    number: int
    what: str
    task: asyncio.Task[None] | None = None
    turn: Turn | None = None
    waiting_for: str | None = None  # CLIENT, SCAN or "lock"
    since: int = 0  # when it began to wait, in the order of asking
    inside: set[str] = field(default_factory=set)
    cancelled: bool = False
    release: asyncio.Event = field(default_factory=asyncio.Event)  # its work is done
    fails: bool = False
    hangs: bool = False  # a scan that does not stop when asked
    fenced: set[str] = field(default_factory=set)  # what a reset took away from it
    exempt: bool = False  # it got in while the exclusion was off

    @property
    def uses(self) -> set[str]:
        """What it does on the radio by right."""
        return set() if self.exempt else self.inside - self.fenced


class ExclusiveControlMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.dispatcher = VirtualDispatcher()
        self.manager = ExclusiveControlManager()
        self.ops: list[Op] = []
        self.problems: list[str] = []
        self.asked = 0
        self.settled = True

    # --- what the operations do ---------------------------------------------------------------------------------------

    def ask(self, op: Op, what: str) -> None:
        self.asked += 1
        op.waiting_for, op.since = what, self.asked

    def enter(self, op: Op, what: str) -> None:
        op.waiting_for = None
        op.inside.add(what)
        op.exempt |= not self.manager.is_enabled()
        self.compare(f"{op.what} {op.number} entered {what}")
        if op.exempt or what in op.fenced or (what == CLIENT and "lock" in op.inside):
            return  # who holds the lock goes before those who wait for it
        for other in self.ops:
            fits = {what, other.waiting_for} in ({CLIENT}, {CLIENT, "lock"}, {"lock"}, {CLIENT, SCAN})
            gone = other.cancelled or other.waiting_for in other.fenced
            if fits and not gone and other.since < op.since:
                self.problems.append(f"{op.what} {op.number} overtook {other.what} {other.number}")

    def compare(self, when: str) -> None:
        clients = [op for op in self.ops if CLIENT in op.uses]
        scans = [op for op in self.ops if SCAN in op.uses]
        locks = [op for op in self.ops if "lock" in op.uses]
        if len(clients) > 1 or len(locks) > 1 or (clients and scans) or (locks and clients and locks != clients):
            self.problems.append(f"{when}: together are {clients + scans + locks}")

    async def work(self, op: Op) -> None:
        await op.release.wait()
        if op.fails:
            raise SomethingWentWrong

    async def client(self, op: Op, timeout: float) -> None:
        self.ask(op, CLIENT)
        async with self.manager.client_operation(timeout) as op.turn:
            self.enter(op, CLIENT)
            try:
                await self.work(op)
            finally:
                op.inside.clear()

    async def scan(self, op: Op, timeout: float) -> None:
        self.ask(op, SCAN)
        async with self.manager.scan_pass(timeout) as op.turn:
            self.enter(op, SCAN)
            try:
                while not op.release.is_set() and (op.hangs or not op.turn.stop_requested):
                    await op.turn.wait_for_stop(0.1)
                    if op.turn.stop_requested:
                        await asyncio.sleep(0.3)  # stopping takes a moment
                if op.fails:
                    raise SomethingWentWrong
            finally:
                op.inside.clear()

    async def unscoped_client(self, op: Op, timeout: float) -> None:
        self.ask(op, CLIENT)
        op.turn = self.manager.request_scanner_stop()
        try:
            if await self.manager.wait_for_scan_completed(timeout):
                self.enter(op, CLIENT)
                await self.work(op)
        finally:
            op.inside.clear()
            self.manager.notify_client_completed()

    async def unscoped_scan(self, op: Op, timeout: float) -> None:
        while not (turn := self.manager.notify_scan_ready()):
            if not await self.manager.wait_for_client_completed(timeout):
                return
        op.turn = turn
        self.asked += 1
        op.since = self.asked
        self.enter(op, SCAN)
        try:
            while not op.release.is_set() and (op.hangs or not self.manager.is_scanner_stopping()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # as a scanner does that looks from time to time
            await asyncio.sleep(0.3)
        finally:
            op.inside.clear()
            self.manager.notify_scan_completed()

    async def locked(self, op: Op, timeout: float) -> None:
        self.ask(op, "lock")
        await self.manager.get_operation_lock().acquire(timeout)
        try:
            self.enter(op, "lock")
            await asyncio.sleep(0.2)
            self.ask(op, CLIENT)
            async with self.manager.client_operation(timeout) as op.turn:
                self.enter(op, CLIENT)
                try:
                    await self.work(op)
                finally:
                    op.inside.discard(CLIENT)
        finally:
            op.inside.clear()
            self.manager.get_operation_lock().release()

    async def guarded(self, op: Op, function: Callable[[Op, float], Coroutine[object, object, None]], t: float) -> None:
        try:
            await function(op, t)
        except (ExclusiveControlTimeoutError, SomethingWentWrong):
            pass
        finally:
            op.waiting_for = None

    # --- what may happen ----------------------------------------------------------------------------------------------

    @initialize()
    def a_scanner_is_known(self) -> None:
        self.manager.notify_scan_completed()  # else requests wait for one to answer

    @rule(
        what=st.sampled_from(["client", "client", "scan", "scan", "unscoped_client", "unscoped_scan", "locked"]),
        timeout=st.sampled_from([0.0, 0.5, 5.0, math.inf]),
        fails=st.booleans(),
        hangs=st.booleans(),
    )
    def begin(self, what: str, timeout: float, fails: bool, hangs: bool) -> None:
        if what == "unscoped_scan" and any(op.what == what for op in self.live()):
            return  # there is one scanner that announces itself
        op = Op(len(self.ops), what, fails=fails, hangs=hangs)
        self.ops.append(op)
        op.task = self.dispatcher.loop.create_task(self.guarded(op, getattr(self, what), timeout))
        self.settled = False

    def live(self) -> list[Op]:
        return [op for op in self.ops if op.task is not None and not op.task.done()]

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.live())).release.set()

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        op = data.draw(st.sampled_from(self.live()))
        assert op.task is not None
        op.cancelled = True
        op.task.cancel()
        self.settled = False

    @rule(seconds=st.sampled_from([0.0, 0.0, 0.1, 1.0, 7.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.dispatcher.run_for(seconds)
        self.settled = seconds >= 0.1

    @rule()
    def force_reset(self) -> None:
        for op in self.live():
            # Whoever has entered loses the adapter, and so does the operation that nobody stands behind for sure.
            op.fenced |= op.inside
            if op.what == "unscoped_client" and op.turn is not None:
                op.fenced.add(CLIENT)
        self.manager.force_reset()
        self.settled = False

    @rule()
    def switch_off_for_a_while(self) -> None:
        self.manager.set_enabled(False)
        self.dispatcher.run_for(0.1)
        for op in self.live():
            op.exempt = True
        if not (self.manager.is_client_connecting() or self.manager.is_scanner_stopping()):
            assert all(op.waiting_for is None for op in self.live())
        self.manager.set_enabled(True)

    # --- what must be so ----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_collides(self) -> None:
        self.compare("later")
        assert not self.problems

    @invariant()
    def somebody_gets_on(self) -> None:
        waiting = [op for op in self.live() if op.waiting_for]
        if self.settled and waiting:
            assert any(not op.waiting_for for op in self.live()), (
                f"everybody waits: {waiting}, {list(self.manager._turns)}"
            )

    def teardown(self) -> None:
        try:
            for op in self.ops:
                op.release.set()
            for _ in range(len(self.ops) + 1):
                self.dispatcher.run_for(2.0)  # each of them is done soon once it is its turn
            assert not self.live(), f"left waiting: {self.live()}, {list(self.manager._turns)}"
            self.nothing_collides()
            assert self.manager.get_status() == {
                "enabled": True,
                "scanner_stopping": False,
                "client_connecting": False,
                "scan_ready": False,
                "exclusive_control_duration": 0.0,
            }
            assert not list(self.manager._turns)
            assert not self.manager._waiting
            assert not self.manager._announced
            assert not self.manager.get_operation_lock()._held
        finally:
            for op in self.live():
                assert op.task is not None
                op.task.cancel()
            self.dispatcher.close()


ExclusiveControlMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class TestExclusiveControl(ExclusiveControlMachine.TestCase):  # type: ignore[misc,valid-type]  # made at run time
    @pytest.fixture(autouse=True)
    def _quiet(self) -> Iterator[None]:
        logging.disable(logging.WARNING)  # each of thousands of resets is logged
        yield
        logging.disable(logging.NOTSET)
