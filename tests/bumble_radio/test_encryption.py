"""What the link layer negotiates between two hosts: encryption and features."""

from __future__ import annotations

from typing import Any

import pytest
from bumble import hci

from .hosts import SUCCESS, HciHost, room, run

KEY, OTHER_KEY = bytes(range(16)), bytes(16)
Changed = hci.HCI_Encryption_Change_Event
MIC_FAILURE = hci.HCI_ErrorCode.CONNECTION_TERMINATED_DUE_TO_MIC_FAILURE_ERROR


async def begin(central: HciHost, handle: int, peripheral: HciHost, other_handle: int) -> None:
    """The central asks; return when the peripheral's host is asked for its key."""
    command = hci.HCI_LE_Enable_Encryption_Command(
        connection_handle=handle, random_number=bytes(8), encrypted_diversifier=7, long_term_key=KEY
    )
    assert await central.ask(command) == SUCCESS
    request = await peripheral.take(hci.HCI_LE_Long_Term_Key_Request_Event)
    assert (request.connection_handle, request.encryption_diversifier) == (other_handle, 7)


def reply(handle: int, key: bytes) -> Any:
    return hci.HCI_LE_Long_Term_Key_Request_Reply_Command(connection_handle=handle, long_term_key=key)


def test_the_same_key_encrypts() -> None:
    async def test() -> None:
        async with room() as there:
            pair = central, _, peripheral, other_handle = await there.linked_pair()
            await begin(*pair)
            await peripheral.ask(reply(other_handle, KEY))
            for host in (central, peripheral):
                event = await host.take(Changed)
                assert (event.status, event.encryption_enabled) == (SUCCESS, 1)

    run(test())


def test_different_keys_end_the_link_on_both_sides() -> None:
    async def test() -> None:
        async with room() as there:
            pair = central, _, peripheral, other_handle = await there.linked_pair()
            await begin(*pair)
            await peripheral.ask(reply(other_handle, OTHER_KEY))
            for host in (central, peripheral):
                assert (await host.disconnected()).reason == MIC_FAILURE
                await host.sync()
                assert not host.all(hci.HCI_Disconnection_Complete_Event)
            assert not any(controller.links for controller in there.server.controllers)

    run(test())


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_a_link_that_ends_meanwhile(key: bytes) -> None:
    """The key and a disconnect in one write: the link is gone before the key is compared."""

    async def test() -> None:
        async with room() as there:
            pair = central, _, peripheral, other_handle = await there.linked_pair()
            await begin(*pair)
            hang_up = hci.HCI_Disconnect_Command(connection_handle=other_handle, reason=0x13)
            peripheral.send(bytes(reply(other_handle, key)) + bytes(hang_up))
            assert (await central.disconnected()).reason == 0x13
            assert (await peripheral.disconnected()).reason == 0x16
            for host in (central, peripheral):
                await host.sync()
                assert not host.all(Changed)
                assert not host.all(hci.HCI_Disconnection_Complete_Event)

    run(test())


@pytest.mark.parametrize("asking", [0, 1])
def test_remote_features(asking: int) -> None:
    async def test() -> None:
        async with room() as there:
            central, handle, peripheral, other_handle = await there.linked_pair()
            host, own_handle = ((central, handle), (peripheral, other_handle))[asking]
            command = hci.HCI_LE_Read_Remote_Features_Command(connection_handle=own_handle)
            assert await host.ask(command) == SUCCESS
            event = await host.take(hci.HCI_LE_Read_Remote_Features_Complete_Event)
            assert event.connection_handle == own_handle
            assert event.le_features == there.server.controllers[0].le_features.to_bytes(8, "little")

    run(test())
