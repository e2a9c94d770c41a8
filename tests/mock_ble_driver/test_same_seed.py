"""Same seed, same run: byte for byte, in whichever process."""

from __future__ import annotations

import os
import subprocess
import sys


def trace(seed: int, hash_seed: int, allocator: str = "default") -> bytes:
    """Run the noisy mesh in a process of its own.

    Args:
        seed: of the mesh.
        hash_seed: gives sets of strings another order.
        allocator: gives sets of objects another order, because it puts them elsewhere.
    """
    return subprocess.run(
        [sys.executable, "-m", "tests.mock_ble_driver.noisy_mesh", str(seed)],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONMALLOC": allocator},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=300,
    ).stdout


def test_a_noisy_mesh_runs_the_same_way_twice() -> None:
    first = trace(seed=7, hash_seed=1)
    assert first == trace(seed=7, hash_seed=2, allocator="malloc")
    assert len(first) > 1_000_000
    for event in (b"on_device_connected", b"on_device_disconnected", b"on_connection_failed", b"on_data_received"):
        assert first.count(event) > 50
    assert first != trace(seed=8, hash_seed=1)
