"""`ble-interface doctor` on a real host: each fault that is caused on purpose is named by the check it belongs to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from signal import Signals
from typing import Any

from ..rig import Rig
from ..scenario import expect, scenario
from ..vm.guest import REPO as GUEST_REPO
from ..vm.guest import Guest

#: Seconds that one look may take: an emulated processor imports all libraries anew each time.
LOOK_TIMEOUT = 90.0
CONFIGURATION = "/root/.reticulum"
POLICY = "/etc/dbus-1/system.d/zz-nobody.conf"


@dataclass
class Doctor:
    """The doctor on one guest."""

    guest: Guest
    rig: Rig

    async def look(self, *, without: str = "") -> dict[str, Any]:
        """Return what each check says, by name; `without` is a module that cannot be imported."""
        path = GUEST_REPO
        if without:
            await self.shell(f"mkdir -p /run/rig/broken; echo 'raise ImportError' >/run/rig/broken/{without}.py")
            path = f"/run/rig/broken:{path}"
        program = self.guest.python("ble_cli", "doctor", "--json", env={"PYTHONPATH": path})
        code = await program.wait(LOOK_TIMEOUT)
        expect(not any("Traceback" in line for line in program.errors), f"a traceback: {program.errors}")
        checks = {check["name"]: check for check in json.loads("\n".join(program.output))["checks"]}
        failed = [name for name, check in checks.items() if check["status"] == "failed"]
        expect(code == bool(failed), f"the exit code is {code}, with {failed}")
        broken = [check for check in checks.values() if "this check broke" in check["detail"]]
        expect(not broken, f"broken: {broken}")
        return checks

    async def names(self, check: str, word: str, *, status: str = "failed", without: str = "") -> None:
        """See that a check names what is wrong, and what mends it."""
        checks = await self.look(without=without)
        found = checks[check]
        expect(found["status"] == status and word in found["detail"] and found["remedy"], f"{check} says {found}")
        self.rig.note(f"{check}: {found['detail']}")
        self.rig.note(f"    -> {found['remedy']}")

    async def shell(self, line: str) -> None:
        await self.guest.tool("sh", "-c", line)


@asynccontextmanager
async def _doctor(rig: Rig, *, channels: int = 1) -> AsyncIterator[Doctor]:
    (guest,) = await rig.guests(1, gatt_channels=channels)
    yield Doctor(guest, rig)


@scenario(guests=1, timeout=900.0, on=("bookworm",))
async def doctor_finds_faults_of_the_host(rig: Rig) -> None:
    """All is well, then one fault after the other of the adapter, bluetoothd and D-Bus, each named and mended again."""
    async with _doctor(rig) as doctor:
        guest, shell = doctor.guest, doctor.shell
        checks = await doctor.look()
        bad = [check for check in checks.values() if check["status"] == "failed"]
        expect(not bad, f"nothing was done to the host, and yet: {bad}")

        await guest.set_power(False)
        await doctor.names("powered", "is off")
        await guest.set_power(True)

        await shell(_SWITCH.format(1))
        await doctor.names("rfkill", "is blocked")
        await shell(_SWITCH.format(0))
        await guest.set_power(True)

        crowd = guest.helper("advertisers")
        await crowd.expect("full", 60.0)
        await doctor.names("advertising", "in use by other programs")
        await crowd.stop()

        await shell(
            'echo \'<busconfig><policy user="root"><deny send_destination="org.bluez"/></policy></busconfig>\''
            f" >{POLICY} && {_RELOAD}"
        )
        await doctor.names("dbus-policy", "does not let even root")
        await shell(f"rm {POLICY} && {_RELOAD}")

        guest.bluetoothd.signal(Signals.SIGSTOP)
        await doctor.names("dbus-policy", "no answer")
        guest.bluetoothd.signal(Signals.SIGCONT)

        await guest.set_power(False)
        holder = guest.helper("holder")
        await holder.expect("held", 30.0)
        await doctor.names("in-use", "another program has hci0 for itself")
        await holder.stop()

        await guest.unplug_adapter()
        await doctor.names("kernel-adapter", "no Bluetooth adapter")

        await guest.bluetoothd.stop()
        await doctor.names("bluetoothd", "is not running")

        await shell("kill -9 $(pidof dbus-daemon)")
        await asyncio.sleep(1.0)
        await doctor.names("dbus", "cannot be reached")
        await guest.restart_dbus()

    async with _doctor(rig, channels=3) as doctor:
        await doctor.names("att-bearers", "3 ATT bearers per link")


_SWITCH = "for switch in /sys/class/bluetooth/hci0/rfkill*/soft; do echo {} >$switch; done"
_RELOAD = "dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ReloadConfig >/dev/null"


@scenario(guests=1, timeout=400.0, on=("trixie",))
async def doctor_finds_faults_of_the_installation(rig: Rig) -> None:
    """What is missing or wrong in Python and in Reticulum's configuration, each named."""
    async with _doctor(rig) as doctor:
        await doctor.names("bleak", "bluezero cannot be imported", without="bluezero")
        section = "[interfaces]\\n [[Bluetooth]]\\n type = BLEInterface\\n enabled = yes\\n driver = bleak\\n"
        await doctor.shell(f"mkdir -p {CONFIGURATION}; printf '{section} adaptr = hci0\\n' >{CONFIGURATION}/config")
        await doctor.names("reticulum-config", "unknown setting 'adaptr'")
        await doctor.shell(f"printf '{section}' >{CONFIGURATION}/config")
        await doctor.names("reticulum-file", "is missing", status="warning")
        await doctor.shell(f"rm -r {CONFIGURATION}")
