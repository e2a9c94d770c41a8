"""The daemon as a process, and clients that are killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bumble import hci

from .hosts import SUCCESS, attach, run

ROOT = Path(__file__).parents[2]

CLIENT = """
import socket, sys
wire = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
wire.sendall(bytes.fromhex(sys.argv[2]))
wire.recv(1)
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def daemon(*arguments: str, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The daemon and the first line that it prints."""
    command = [sys.executable, "-m", "drivers.bumble_driver.radio", "--port", str(port), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


def port_in(line: str) -> int:
    assert line.startswith("radio: listening on 127.0.0.1:")
    return int(line.rsplit(":", 1)[1])


def test_it_serves_and_survives_clients_that_are_killed() -> None:
    async def test(port: int) -> None:
        survivor = await attach(port)
        # The client resets, gets ready to be connected to, and is then killed by the operating system's hand.
        hello = b"".join(
            map(
                bytes,
                (
                    hci.HCI_Reset_Command(),
                    hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address("C4:00:00:00:00:0A")),
                    hci.HCI_LE_Set_Advertising_Parameters_Command(
                        advertising_interval_min=32,
                        advertising_interval_max=32,
                        advertising_type=0,
                        own_address_type=1,
                        peer_address_type=0,
                        peer_address=hci.Address.ANY,
                        advertising_channel_map=7,
                        advertising_filter_policy=0,
                    ),
                    hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1),
                ),
            )
        )
        client = subprocess.Popen(  # noqa: ASYNC220 - the loop has nothing else to do
            [sys.executable, "-c", CLIENT, str(port), hello.hex()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with client:
            assert client.stdout is not None
            assert client.stdout.readline() == b"ready\n"
            assert await survivor.dial(hci.Address("C4:00:00:00:00:0A"), timeout=10) == SUCCESS
            up = await survivor.connected()
            os.kill(client.pid, signal.SIGKILL)
            down = await survivor.disconnected()
        assert (down.connection_handle, down.reason) == (up.connection_handle, 0x08)
        await survivor.scan()
        await survivor.sync()
        assert not survivor.all(hci.HCI_LE_Advertising_Report_Event)
        survivor.close()
        await survivor.lost.wait()

    with daemon() as (process, line):
        run(test(port_in(line)))
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=5)
        assert (process.returncode, output, errors) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly_and_quickly(number: signal.Signals) -> None:
    with daemon() as (process, line), socket.create_connection(("127.0.0.1", port_in(line))):
        start = time.monotonic()
        process.send_signal(number)
        output, errors = process.communicate(timeout=5)
        assert (process.returncode, output, errors) == (0, "", "")
        assert time.monotonic() - start < 1


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with daemon(port=port) as (process, _):
            _, errors = process.communicate(timeout=5)
            assert process.returncode == 2
            assert errors == f"radio: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "x"], "radio: argument --port: invalid port value: 'x'\n"),
        (["--port", "65536"], "radio: argument --port: invalid port value: '65536'\n"),
        (["--frequency", "2.4"], "radio: unrecognized arguments: --frequency 2.4\n"),
    ],
)
def test_bad_arguments_are_one_clear_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from drivers.bumble_driver.radio.__main__ import main

    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err == message


def test_it_ends_with_its_parent() -> None:
    """The parent's end of the pipe closes, which is what its death does."""
    with daemon("--exit-with-parent") as (process, line):
        port_in(line)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=5) == 0


def test_ending_with_a_parent_needs_a_pipe() -> None:
    command = [sys.executable, "-m", "drivers.bumble_driver.radio", "--port", "0", "--exit-with-parent"]
    result = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False
    )
    assert result.returncode == 2
    assert result.stderr == "radio: --exit-with-parent needs a pipe as stdin, held open by the parent\n"


def test_other_than_loopback_is_warned_about() -> None:
    with daemon("--host", "0.0.0.0") as (process, line):
        assert line.startswith("radio: listening on 0.0.0.0:")
        process.terminate()
        _, errors = process.communicate(timeout=5)
        assert "0.0.0.0 is not a loopback address" in errors


def test_without_the_cancel_event() -> None:
    async def test(port: int) -> None:
        host = await attach(port)
        await host.dial(hci.Address("C4:00:00:00:00:0A"))
        assert await host.cancel() == SUCCESS
        await host.sync()
        assert not host.all(hci.HCI_LE_Connection_Complete_Event)
        host.close()
        await host.lost.wait()

    with daemon("--no-cancel-event") as (_, line):
        run(test(port_in(line)))
