"""What only the bumble driver has: a radio that can go away, a controller with few buffers, options of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from bumble import hci
from bumble.core import UUID
from bumble.device import Connection, Device, Peer
from bumble.gatt import CharacteristicValue
from bumble.transport.tcp_client import open_tcp_client_transport

from ble_driver import (
    AsyncDispatcher,
    DriverState,
    ExclusiveControlManager,
    GattUUIDs,
    InvalidAddressError,
    InvalidOptionError,
    PeerRefusedError,
    RadioError,
    SendQueueFull,
)
from ble_testing.contract import UUIDS, Node
from drivers.bumble_driver import BumbleDriver
from drivers.bumble_driver.central import Initiator
from drivers.bumble_driver.peripheral import GattService, advertising_data
from drivers.bumble_driver.radio import Air, RadioServer
from tests.contract.bumble_rig import BumbleRig
from tests.reticulum.processes import running, wait_for

#: The address of a host that a test drives by itself.
BARE = "C0:00:00:00:00:01"

T = TypeVar("T")


@pytest.fixture
def rig() -> Iterator[BumbleRig]:
    rig = BumbleRig()
    yield rig
    rig.close()


@contextlib.asynccontextmanager
async def bare_device(radio: str) -> AsyncIterator[Device]:
    """A host of bumble without any driver, at `BARE`."""
    async with await open_tcp_client_transport(radio) as transport:
        device = Device.with_hci("bare", hci.Address(BARE), transport.source, transport.sink)
        await device.power_on()
        yield device


@contextlib.asynccontextmanager
async def bare_central(rig: BumbleRig, peripheral: Node) -> AsyncIterator[Connection]:
    """The connection of such a host to a node."""
    async with bare_device(rig.radio) as device:
        address = hci.Address(peripheral.address, hci.AddressType.RANDOM_DEVICE)
        yield await device.connect(address, timeout=5)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a bare host's part to its end, on a loop of its own."""
    dispatcher = AsyncDispatcher()
    dispatcher.start()
    try:
        return dispatcher.run(coroutine, 15)
    finally:
        dispatcher.close()


def test_a_radio_that_goes_away_is_named_and_used_again_when_it_is_back(rig: BumbleRig) -> None:
    alice, bob = rig.node(), rig.node()
    alice.driver.start_scanning()
    rig.link(alice, bob)
    rig.radio_off(alice)
    rig.radio_on(alice)
    rig.wait(lambda: alice.of("disconnected") and bob.of("disconnected") and alice.errors())
    assert isinstance(alice.errors()[0], RadioError)
    assert "it is looked for until it is back" in str(alice.errors()[0])
    # What was wanted still is: both come back to what they did.
    rig.wait(lambda: alice.driver.state is DriverState.SCANNING and bob.driver.state is DriverState.ADVERTISING)
    alice.events.clear()
    bob.events.clear()
    rig.wait(lambda: alice.of("discovered"))
    rig.link(alice, bob)


def test_a_radio_that_was_never_there_is_named_once_and_stop_is_quick() -> None:
    driver = BumbleDriver(radio="127.0.0.1:9")
    node = Node(driver, b"x" * 16)
    node.start()
    driver.start_scanning()
    driver.connect("02:00:00:00:00:99")
    wait_for(node.errors, 5)
    wait_for(lambda: len(node.errors()) == 1, 3)
    assert "start one with python -m drivers.bumble_driver.radio" in str(node.errors()[0])
    driver.stop()
    assert len(node.errors()) == 1
    assert driver.connecting_peers == []


def test_a_peer_that_listens_no_more_holds_up_nobody_and_is_given_up(rig: BumbleRig) -> None:
    """Its process is stopped, so its controller's buffers stay full."""
    hub, other = rig.node(), rig.node()
    rig.link(hub, other)
    script = Path(__file__).with_name("sleepy_peer.py")

    def fill(address: str) -> None:
        with contextlib.suppress(SendQueueFull):
            while True:
                hub.driver.send(address, bytes(500))

    hub.hooks["ready"] = fill
    with running(str(script), rig.radio, hub.address) as sleepy:
        hub.driver.start_advertising()
        rig.wait(lambda: len(hub.driver.connected_peers) == 2)
        (address,) = set(hub.driver.connected_peers) - {other.address}
        wait_for(lambda: sleepy.events("ready"), 10)
        os.kill(sleepy.events("ready")[0]["pid"], signal.SIGSTOP)
        try:
            fill(address)  # and again whenever there is room, until the sockets in between are full too
            for n in range(100):
                hub.driver.send(other.address, bytes([n]) * 100)
            rig.wait(lambda: len(other.of("data")) == 100, timeout=3)
            rig.wait(lambda: hub.driver.connected_peers == [other.address], timeout=20)
        finally:
            os.kill(sleepy.events("ready")[0]["pid"], signal.SIGCONT)


@pytest.mark.parametrize("leave", ["disconnect", "stop"])
def test_what_a_central_wrote_arrives_before_it_leaves(rig: BumbleRig, leave: str) -> None:
    rig._server.air = Air(bit_rate=100_000)
    alice, bob = rig.node(), rig.node()
    rig.link(alice, bob)
    frames = [bytes([number]) * 500 for number in range(7)]
    alice.driver.send_frames([bob.address], frames)
    assert isinstance(alice.driver, BumbleDriver)
    link = alice.driver._links[bob.address]
    rig.wait(lambda: link.unacknowledged == len(frames) - 1 and not link.queue.draining)
    if leave == "stop":
        alice.driver.stop()
    else:
        alice.driver.disconnect(bob.address)
    rig.wait(lambda: bob.of("disconnected"))
    assert bob.data(alice.address) == frames


def test_a_central_that_says_nothing_is_ended(rig: BumbleRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.bumble_driver.driver.UNHEARD_TIMEOUT", 0.3)
    alice = rig.node()
    alice.driver.start_advertising()

    async def say_nothing() -> int:
        async with bare_central(rig, alice) as connection:
            ended = asyncio.get_running_loop().create_future()
            connection.on("disconnection", ended.set_result)
            return int(await asyncio.wait_for(ended, 5))

    assert run(say_nothing()) == hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR
    assert alice.of("connected") == []


def test_the_service_is_as_the_protocol_says(rig: BumbleRig) -> None:
    alice = rig.node(identity=b"alice's identity")
    alice.driver.start_advertising()
    found: dict[str, int] = {}

    async def look() -> bytes:
        async with bare_central(rig, alice) as connection:
            peer = Peer(connection)
            (service,) = await peer.discover_service(UUID(UUIDS[0]))
            for characteristic in await service.discover_characteristics():
                found[characteristic.uuid.to_hex_str("-").lower()] = int(characteristic.properties)
            (identity,) = [c for c in service.characteristics if c.uuid == UUID(UUIDS[3])]
            value = bytes(await peer.read_value(identity))
            await connection.disconnect()
            return value

    assert run(look()) == b"alice's identity"
    read, write_command, write, notify = 0x02, 0x04, 0x08, 0x10  # Core Spec 5.4, Vol 3, Part G, 3.3.1.1
    assert found == {UUIDS[1]: write | write_command, UUIDS[2]: read | notify, UUIDS[3]: read}


def test_an_mtu_that_changes_after_the_link_was_reported_is_told(rig: BumbleRig) -> None:
    alice = rig.node()
    alice.driver.start_advertising()

    async def subscribe_first() -> None:
        async with bare_central(rig, alice) as connection:
            peer = Peer(connection)
            (service,) = await peer.discover_service(UUID(UUIDS[0]))
            characteristics = {c.uuid: c for c in await service.discover_characteristics()}
            await peer.subscribe(characteristics[UUID(UUIDS[2])])
            await peer.request_mtu(100)
            await characteristics[UUID(UUIDS[1])].write_value(b"done", with_response=True)
            await connection.disconnect()

    run(subscribe_first())
    rig.wait(lambda: alice.of("disconnected"))
    assert alice.events == [
        ("connected", BARE, 23),
        ("mtu", BARE, 100),
        ("data", BARE, b"done"),
        ("disconnected", BARE),
    ]


def test_a_peripheral_that_hangs_up_during_the_set_up_is_named(rig: BumbleRig) -> None:
    alice = rig.node()
    dispatcher = AsyncDispatcher()
    dispatcher.start()
    stop = asyncio.Event()
    ready = threading.Event()
    endings: list[asyncio.Future[None]] = []

    async def hang_up_when_asked_for_the_identity() -> None:
        async with await open_tcp_client_transport(rig.radio) as transport:
            device = Device.with_hci("rude", hci.Address(BARE), transport.source, transport.sink)

            def read(connection: Connection) -> bytes:
                endings.append(asyncio.ensure_future(connection.disconnect()))
                raise RuntimeError("so bumble gives no answer at all")

            service = GattService(GattUUIDs(*UUIDS), lambda: b"x" * 16, lambda *_: None, lambda *_: None)
            service.service.characteristics[2].value = CharacteristicValue(read=read)
            device.add_service(service.service)
            await device.power_on()
            await device.start_advertising(advertising_data=advertising_data(UUIDS[0], None))
            ready.set()
            await stop.wait()

    dispatcher.call_soon(lambda: dispatcher.spawn(hang_up_when_asked_for_the_identity()))
    assert ready.wait(5)
    alice.driver.connect(BARE)
    rig.wait(alice.failures)
    dispatcher.close()
    assert isinstance(alice.failures()[0], PeerRefusedError)
    assert alice.driver.connecting_peers == []


def test_a_link_that_comes_up_while_its_attempt_is_given_up_is_ended(rig: BumbleRig) -> None:
    bob = rig.node()
    bob.driver.start_advertising()

    async def give_up_at_the_last_moment() -> list[int]:
        async with bare_device(rig.radio) as device:
            target = hci.Address(bob.address, hci.AddressType.RANDOM_DEVICE)
            task = asyncio.ensure_future(Initiator(device, ExclusiveControlManager()).connect(target))
            device.on("connection", lambda _: task.cancel())
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert task.cancelled()
            return list(device.connections)

    assert run(give_up_at_the_last_moment()) == []


def test_manufacturer_records_are_told(rig: BumbleRig) -> None:
    alice = rig.node()
    alice.driver.start_scanning()
    record = bytes((5, 0xFF, 0xFF, 0xFF, 0x03, 0x01))  # length, type, company, and what a peer that never dials says

    async def advertise() -> None:
        async with bare_device(rig.radio) as device:
            await device.start_advertising(advertising_data=advertising_data(UUIDS[0], None) + record)
            while BARE not in alice.devices():  # noqa: ASYNC110 - it is told on another thread
                await asyncio.sleep(0.01)

    run(advertise())
    assert alice.devices()[BARE].manufacturer_data == ((0xFFFF, b"\x03\x01"),)


def test_the_scan_is_passive_before_its_first_report(rig: BumbleRig, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    start = Device.start_scanning

    async def spy(device: Device, **options: Any) -> None:
        seen.append(device.scanning_is_passive)
        await start(device, **options)

    monkeypatch.setattr(Device, "start_scanning", spy)
    rig.node().driver.start_scanning()
    rig.wait(lambda: seen)
    assert seen == [True]


def test_a_given_address_is_used(rig: BumbleRig) -> None:
    assert rig.node(address="c1:02:03:04:05:06").address == "C1:02:03:04:05:06"


@pytest.mark.parametrize("radio", ["", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:port", ":7700", 7700, "127.0.0.1:70000"])
def test_a_bad_radio_is_refused(radio: object) -> None:
    with pytest.raises(InvalidOptionError, match="host:port"):
        BumbleDriver(radio=radio)  # type: ignore[arg-type]


def test_an_address_that_is_not_random_static_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="C0 to FF"):
        BumbleDriver(address="02:00:00:00:00:01")
    with pytest.raises(InvalidAddressError):
        BumbleDriver(address="nonsense")


def test_the_daemon_is_not_needed_to_be_a_process() -> None:
    """`RadioServer` in one's own program serves as well."""
    dispatcher = AsyncDispatcher()
    dispatcher.start()
    server = RadioServer("127.0.0.1", 0)
    dispatcher.run(server.start(), 5)
    node = Node(BumbleDriver(radio=f"127.0.0.1:{server.port}"), b"x" * 16)
    node.start()
    wait_for(lambda: node.driver.local_address, 5)
    node.driver.stop()
    dispatcher.run(server.close(), 5)
    dispatcher.close()
