"""Whether an adapter has one program of ours at a time, and the next is told which."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from ble_driver import RadioError
from drivers.bleak_driver.claim import MAX_COMMAND, AdapterClaim, holder_of, process_name

HOLD = """
import asyncio, sys
from drivers.bleak_driver.claim import AdapterClaim

async def hold():
    AdapterClaim(sys.argv[1]).take()
    print("held", flush=True)
    await asyncio.sleep(3600)

asyncio.run(hold())
"""


@pytest.fixture
def adapter() -> str:
    """An adapter that no other run of these tests on this machine has."""
    return f"hci-{uuid.uuid4()}"


async def refusal(claim: AdapterClaim) -> str:
    with pytest.raises(RadioError) as refused:
        claim.take()
    await asyncio.sleep(0)  # the holder makes room for the next
    return str(refused.value)


def test_the_second_is_told_who_has_it_however_often_it_asks_and_has_it_afterwards(adapter: str) -> None:
    async def play() -> None:
        first, second, third = AdapterClaim(adapter), AdapterClaim(adapter), AdapterClaim(adapter)
        assert holder_of(adapter) is None
        first.take()
        first.take()
        assert str(holder_of(adapter)).startswith(f"process {os.getpid()} (")
        await asyncio.sleep(0)
        for _ in range(100):
            assert f"{adapter} is held by process {os.getpid()} (" in await refusal(second)
            await asyncio.sleep(0)
        second.drop()
        assert "held" in await refusal(second)
        first.drop()
        first.drop()
        second.take()
        assert "held" in await refusal(third)
        second.drop()

    asyncio.run(play())


def test_another_process_is_named_and_leaves_nothing_when_it_is_killed(adapter: str) -> None:
    async def take() -> None:
        claim.take()
        claim.drop()

    claim = AdapterClaim(adapter)
    with subprocess.Popen([sys.executable, "-c", HOLD, adapter], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert f"is held by process {holder.pid} ({Path(sys.executable).name} -c" in asyncio.run(refusal(claim))
        holder.send_signal(signal.SIGKILL)
    asyncio.run(take())


def test_other_adapters_are_free(adapter: str) -> None:
    async def play() -> None:
        claims = [AdapterClaim(adapter), AdapterClaim(f"{adapter}1")]
        for claim in claims:
            claim.take()
        for claim in claims:
            claim.drop()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("pid", "command", "name"),
    [
        (7, b"/venv/bin/python\0/venv/bin/rnsd\0--config\0/etc/rns\0", "process 7 (python rnsd --config /etc/rns)"),
        (7, b"evil\x1b[2J\xff\0", "process 7 (evil?[2J\ufffd)"),
        (7, b"x" * 1000, f"process 7 ({'x' * MAX_COMMAND}…)"),
        (7, b"", "process 7"),
        (8, b"gone", "process 8"),
        (0, b"", "a program in another container"),
    ],
)
def test_a_process_is_named_for_people(tmp_path: Path, pid: int, command: bytes, name: str) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes(command)
    assert process_name(pid, tmp_path) == name
