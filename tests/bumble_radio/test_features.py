"""What the controller says it is, which is what decides how a host treats it."""

from __future__ import annotations

from bumble import hci

from .hosts import room, run


def test_a_legacy_controller_without_privacy() -> None:
    async def test() -> None:
        async with room() as there:
            host = await there.host()
            answer = await host.ask(hci.HCI_LE_Read_Local_Supported_Features_Command())
            features = hci.LeFeatureMask(int.from_bytes(answer.le_features, "little"))
            assert not features & (
                hci.LeFeatureMask.LL_PRIVACY
                | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
                | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
            )
            answer = await host.ask(hci.HCI_Read_Local_Supported_Commands_Command())
            bits = int.from_bytes(answer.supported_commands, "little")
            announced = {
                hci.HCI_Command.command_name(op) for op, mask in hci.HCI_SUPPORTED_COMMANDS_MASKS.items() if bits & mask
            }
            assert "HCI_LE_CREATE_CONNECTION_COMMAND" in announced
            assert not [name for name in announced if "EXTENDED" in name or "RESOLV" in name or "PRIVACY" in name]

    run(test())


def test_every_announced_command_is_answered() -> None:
    """A command that is announced and then not answered leaves a host waiting for ever."""

    async def test() -> None:
        async with room() as there:
            host = await there.host()
            for op_code in there.server.controllers[0].supported_commands:
                if op_code in (hci.HCI_RESET_COMMAND, hci.HCI_LE_RAND_COMMAND):
                    continue
                # Handle 0, address 0: valid in form, mostly senseless.
                answer = await host.ask(hci.HCI_Command(bytes(64), op_code=op_code))
                assert answer != hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR, hci.HCI_Command.command_name(op_code)

    run(test())


def test_buffers() -> None:
    async def test() -> None:
        async with room() as there:
            host = await there.host()
            buffers = await host.ask(hci.HCI_LE_Read_Buffer_Size_Command())
            assert (buffers.le_acl_data_packet_length, buffers.total_num_le_acl_data_packets) == (251, 64)

    run(test())


def test_addresses_are_unique_and_public() -> None:
    async def test() -> None:
        async with room() as there:
            first, second = await there.host(), await there.host()
            assert str(first.public) == "0F:0D:00:00:00:01/P"
            assert str(second.public) == "0F:0D:00:00:00:02/P"
            first.close()
            await first.lost.wait()
            assert (await there.host()).public not in (first.public, second.public)

    run(test())
