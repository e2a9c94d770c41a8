"""The socket by which a node tells its status."""

from __future__ import annotations

import logging
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_interface import BLEInterface
from ble_interface import status_socket as module
from ble_interface.status_socket import NodeSocket, StatusSocket, StatusSocketError, running_nodes
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A host on which nobody else's nodes are. The path of a socket may not be long, as those of pytest are."""
    with tempfile.TemporaryDirectory() as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        monkeypatch.setattr(module, "_directories", lambda: [Path(directory) / "ble-interface"])
        yield Path(directory) / "ble-interface"


@pytest.fixture
def node() -> Iterator[BLEInterface]:
    air = VirtualAir()
    interface = BLEInterface(Deaf(), "a node/1", MockBLEDriver(air), status_socket=True)
    interface.start(b"I" * 16)
    yield interface
    interface.stop()


class Deaf:
    def inbound(self, packet: bytes, peer: object) -> None:
        pass


def test_a_node_tells_its_status_while_it_runs(node: BLEInterface, runtime: Path) -> None:
    (found,) = running_nodes()
    assert found.pid == os.getpid()
    assert found.path.name.startswith("a_node_1-")
    status = found.read()
    assert {key: status[key] for key in ("name", "identity", "peers", "dials")} == {
        "name": "a node/1",
        "identity": (b"I" * 16).hex(),
        "peers": [],
        "dials": 0,
    }
    assert set(status) == set(node.get_status())
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    node.stop()
    assert running_nodes() == []
    assert list(runtime.iterdir()) == []


def test_it_is_off_by_default(runtime: Path) -> None:
    interface = BLEInterface(Deaf(), "quiet", MockBLEDriver(VirtualAir()))
    interface.start(b"I" * 16)
    assert running_nodes() == []
    interface.stop()


def test_several_nodes_share_a_host(runtime: Path) -> None:
    sockets = [StatusSocket(name, lambda name=name: {"name": name}) for name in ("same", "same", "other")]  # type: ignore[misc]
    assert [found.read()["name"] for found in running_nodes()] == ["other", "same", "same"]
    for one in sockets:
        one.close()
        one.close()


def test_the_socket_of_a_killed_process_is_removed(runtime: Path) -> None:
    program = (
        "import os, signal\nfrom ble_interface.status_socket import StatusSocket\n"
        "StatusSocket('dead', dict)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    assert len(list(runtime.iterdir())) == 1
    assert running_nodes() == []
    assert list(runtime.iterdir()) == []


def test_a_directory_that_is_not_private_is_refused_and_the_node_runs(
    runtime: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runtime.mkdir(mode=0o755)
    with pytest.raises(StatusSocketError, match="mode 0700"):
        StatusSocket("node", dict)
    interface = BLEInterface(Deaf(), "node", MockBLEDriver(VirtualAir()), status_socket=True)
    with caplog.at_level(logging.WARNING, "ble_interface"):
        interface.start(b"I" * 16)
    assert interface.identity is not None
    interface.stop()
    assert "no status socket" in caplog.text


def test_a_prepared_link_is_not_followed(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    runtime.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StatusSocketError):
        StatusSocket("node", dict)


def test_who_does_not_read_keeps_others_waiting_only_for_his_turn(runtime: Path) -> None:
    serving = StatusSocket("node", lambda: {"much": "x" * 800_000})
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(serving.path))
        begun = time.monotonic()
        assert len(NodeSocket(serving.path, 1).read()["much"]) == 800_000
        assert time.monotonic() - begun < 3 * module.READER_TIMEOUT + 1
    serving.close()


def test_what_is_no_status_is_an_error(runtime: Path) -> None:
    for nonsense in ([1], {"much": "x" * (module.MAX_STATUS + 1)}):
        serving = StatusSocket("node", lambda nonsense=nonsense: nonsense)  # type: ignore[misc]
        with pytest.raises(StatusSocketError):
            NodeSocket(serving.path, 1).read()
        serving.close()
    with pytest.raises(StatusSocketError):
        NodeSocket(runtime / "nobody-1-1.sock", 1).read()


def test_a_runtime_directory_with_too_long_a_name_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    assert module._own_directory() == Path(f"/tmp/ble-interface-{os.geteuid()}")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert module._own_directory() == Path(f"/tmp/ble-interface-{os.geteuid()}")
