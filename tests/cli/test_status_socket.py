"""The socket by which a node tells its status."""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_interface import BLEInterface
from ble_interface import status_socket as module
from ble_interface.status_socket import NodeSocket, StatusSocket, StatusSocketError, running_nodes
from drivers.mock_ble_driver import MockBLEDriver, VirtualAir

REAL_ACCEPT = socket.socket.accept


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


def test_a_status_that_cannot_be_told_costs_one_reader_his_answer(
    runtime: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken: list[dict[str, object] | Exception] = [{"bad": object()}, RuntimeError("a driver is broken")]

    def get_status() -> dict[str, object]:
        if not broken:
            return {"name": "node"}
        status = broken.pop()
        if isinstance(status, Exception):
            raise status
        return status

    serving = StatusSocket("node", get_status)
    for _ in range(2):
        with pytest.raises(StatusSocketError):
            NodeSocket(serving.path, 1).read()
    assert NodeSocket(serving.path, 1).read() == {"name": "node"}
    assert "a driver is broken" in caplog.text
    serving.close()


def test_too_many_open_files_are_no_reason_to_serve_no_more(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READER_TIMEOUT", 0.01)
    refused: list[int] = []

    def accept(listener: socket.socket) -> tuple[socket.socket, object]:
        if len(refused) < 3:
            refused.append(errno.EMFILE)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return REAL_ACCEPT(listener)

    monkeypatch.setattr(socket.socket, "accept", accept)
    serving = StatusSocket("node", lambda: {"name": "node"})
    assert NodeSocket(serving.path, 1).read() == {"name": "node"}
    assert len(refused) == 3
    serving.close()


def test_the_socket_is_not_closed_under_the_thread_that_serves_it(runtime: Path) -> None:
    serving = StatusSocket("node", dict)
    listener, served = serving._listener, []

    class Watched:
        shutdown = listener.shutdown

        def close(self) -> None:
            served.append(serving._thread.is_alive())
            listener.close()

    serving._listener = Watched()  # type: ignore[assignment]
    serving.close()
    assert served == [False]


def test_files_of_others_are_no_nodes(runtime: Path) -> None:
    serving = StatusSocket("node", lambda: {"name": "node"})
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(runtime / "not-a-node.sock"))
        other.listen(1)
        assert [found.path for found in running_nodes()] == [serving.path]
    serving.close()


def test_a_status_that_is_nested_too_deep_is_an_error(runtime: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hostile:
        runtime.mkdir(mode=0o700)
        hostile.bind(str(runtime / "hostile-1-1.sock"))
        hostile.listen(1)

        def answer() -> None:
            with hostile.accept()[0] as reader:
                reader.sendall(b"[" * 500_000)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StatusSocketError, match="process 1 "):
            NodeSocket(runtime / "hostile-1-1.sock", 1).read()
        thread.join()


def test_a_runtime_directory_with_too_long_a_name_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    assert module._own_directory() == Path(f"/tmp/ble-interface-{os.geteuid()}")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert module._own_directory() == Path(f"/tmp/ble-interface-{os.geteuid()}")
