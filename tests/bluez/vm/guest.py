"""A guest: a Linux host with BlueZ and one adapter, as scenarios see it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from signal import Signals

from ..build.roots import GuestRoot
from ..waiting import until
from .control import Control
from .log import Log
from .machine import Accelerator, Machine
from .program import GuestError, Program

logger = logging.getLogger(__name__)

#: Seconds: kernel to steward, daemons to powered adapter, and one small tool.
BOOT_TIMEOUT, ADAPTER_TIMEOUT, TOOL_TIMEOUT = 90.0, 60.0, 30.0
#: Seconds after which a bluetoothd that died is started again.
RESTART_DELAY = 1.0
CONFIGURATION = "/run/rig/main.conf"
BLUETOOTHD = "/usr/libexec/bluetooth/bluetoothd"
#: Where init.sh mounts the repository.
REPO = "/rig/repo"
#: What only a kernel in trouble says.
KERNEL_TROUBLE = (
    "BUG:",
    "Oops",
    "list_del corruption",
    "general protection",
    "Kernel panic",
    "refcount_t:",
    "WARNING:",
)
#: Where Linux 6.1.192 of Debian 12 removes a channel from a list for the second time, now and then, as bluetoothd
#: closes a socket: it ends bluetoothd, which is started again, as on a real host. 6.12 has not been seen to do it.
KNOWN_FAULT = "hci_chan_del+"
#: How it begins, on the console.
FAULT_BEGINS = ("list_del corruption", "general protection fault")
#: Lines that the console has of one such fault at most.
FAULT_LINES = 60


class Guest:
    """One guest, from boot to end.

    Attributes:
        name: its name in logs.
        address: its adapter's address.
        boot_seconds: how long it took from qemu to a powered adapter.
        bluetoothd: the daemon; `exits` of it tells whether it died.
    """

    bluetoothd: Program

    def __init__(self, name: str, root: GuestRoot, accelerator: Accelerator, *, debug: bool = False) -> None:
        self.name = name
        self.address = ""
        self.boot_seconds = 0.0
        self._root = root
        self._accelerator = accelerator
        self._debug = debug
        self._machine: Machine | None = None
        self._control = Control()
        self._logs: dict[str, Log] = {}
        self._services: list[Program] = []
        self._programs: list[Program] = []
        self._intended = 0

    # --- life ---------------------------------------------------------------------------------------------------------

    async def boot(self, repo: Path, radio: tuple[str, int], gatt: Mapping[str, int]) -> None:
        """Start the machine and what a host with Bluetooth runs.

        Raises:
            GuestError: it did not come up; the message ends with what the console said.
        """
        start = time.monotonic()
        self._machine = await Machine.start(self.name, self._root, repo, radio, self._accelerator)
        await self._control.open(self._machine.control)
        try:
            hello = await asyncio.wait_for(asyncio.shield(self._control.hello), BOOT_TIMEOUT)
        except (TimeoutError, asyncio.CancelledError) as error:
            if not self._control.hello.cancelled() and not isinstance(error, TimeoutError):
                raise
            console = "\n    ".join(list(self._machine.console.lines)[-10:])
            raise GuestError(f"guest {self.name} does not boot:\n    {console}") from error
        logger.info("%s: steward up after %.1f s: %s", self.name, time.monotonic() - start, hello)
        self._start_dbus()
        await self._start_bluetooth(gatt)
        self.boot_seconds = time.monotonic() - start
        logger.info("%s: adapter %s up after %.1f s", self.name, self.address, self.boot_seconds)

    async def reset(self, gatt: Mapping[str, int]) -> None:
        """Undo what a scenario has done: end its programs; fresh bluetoothd, adapter, and no remembered devices."""
        programs, self._programs = self._programs, []
        await asyncio.gather(*(program.stop() for program in programs))
        await asyncio.gather(*(service.stop() for service in self._services))
        self._services.clear()
        await self.tool("sh", "-c", "rm -rf /var/lib/bluetooth/*")
        await self._start_bluetooth(gatt)

    async def kill(self) -> None:
        """Take its battery out."""
        if self._machine is not None:
            await self._machine.kill()
        await self._control.close()

    @property
    def is_running(self) -> bool:
        """Whether it was not killed and did not crash."""
        return self._machine is not None and self._machine.is_running

    async def _start_bluetooth(self, gatt: Mapping[str, int]) -> None:
        await self.plug_adapter()
        wait = "until test -S /run/dbus/system_bus_socket; do sleep 0.05; done"
        options = " -d" if self._debug else ""
        if gatt:
            lines = ["[GATT]", *(f"{key} = {value}" for key, value in gatt.items())]
            await self.write(CONFIGURATION, "".join(f"{line}\n" for line in lines))
            options += f" -f {CONFIGURATION}"
        self.bluetoothd = self._service(
            "bluetoothd", "sh", "-c", f"{wait}; exec {BLUETOOTHD} -n{options}", respawn=RESTART_DELAY
        )
        self._services.append(self.bluetoothd)
        self._intended = 0
        await self.wait_for_adapter()

    def _start_dbus(self) -> None:
        self._dbus = self._service("dbus-daemon", "dbus-daemon", "--system", "--nofork", "--nopidfile")

    def _service(self, name: str, *argv: str, respawn: float | None = None) -> Program:
        log = self._logs.setdefault(name, Log(f"{self.name}-{name}"))
        program = self._control.start(argv, respawn=respawn)
        program.on_line = log.add
        program.on_exit = lambda code: log.add(f"--- {name} ended with {code} ---")
        return program

    # --- programs -----------------------------------------------------------------------------------------------------

    @property
    def interpreter(self) -> str:
        """The guest's Python."""
        return self._root.python

    def start(self, *argv: str, env: Mapping[str, str] | None = None) -> Program:
        """Start a program; it is ended with the scenario."""
        program = self._control.start(argv, env=env)
        self._log_program(program)
        self._programs.append(program)
        return program

    def example(self, name: str, *args: str) -> Program:
        """Start one of the programs in `examples`."""
        return self.start(self._root.python, f"{REPO}/examples/{name}", *args)

    def python(self, module: str, *args: str, env: Mapping[str, str] | None = None) -> Program:
        """Start a Python module of the repository in the guest's Python; it is ended with the scenario."""
        return self.start(self._root.python, "-m", module, *args, env=env)

    def helper(self, name: str, *args: str) -> Program:
        """Start one of the programs in `guest_side`."""
        return self.python(f"tests.bluez.guest_side.{name}", *args)

    async def tool(self, *argv: str, timeout: float = TOOL_TIMEOUT) -> list[str]:
        """Run a command to its end and return its output lines.

        Raises:
            GuestError: it failed or took too long.
        """
        return await self._control.start(argv).succeed(timeout)

    async def write(self, path: str, text: str) -> None:
        """Write a file, in a directory that is made if it is missing. Raises GuestError."""
        await self.tool("sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"', "sh", path, text)

    def _log_program(self, program: Program) -> None:
        log = self._logs.setdefault("programs", Log(f"{self.name}-programs"))

        def add(line: str) -> None:
            log.add(f"{time.monotonic():.2f} [{program.number}] {line}")

        add(f"starts: {program}")
        program.on_line = add
        program.on_exit = lambda code: add(f"ended with {code}")

    # --- what may happen to Bluetooth ---------------------------------------------------------------------------------

    async def plug_adapter(self) -> None:
        """Plug the adapter in."""
        self._glue = self._service("adapter", self._root.python, "-m", "tests.bluez.guest_side.h4_vhci", "radio0")
        self._services.append(self._glue)

    async def unplug_adapter(self) -> None:
        """Take the adapter out; peers notice after the supervision timeout."""
        await self._glue.stop()
        self._services.remove(self._glue)

    async def wait_for_adapter(self) -> None:
        """Wait until bluetoothd has a powered adapter."""
        report = await self.helper("adapter", str(ADAPTER_TIMEOUT)).expect("adapter", ADAPTER_TIMEOUT + 10.0)
        self.address = report["address"]

    async def set_power(self, on: bool) -> None:
        """Switch the adapter on or off, as a person would."""
        await self.tool("bluetoothctl", "power", "on" if on else "off")

    async def kill_bluetoothd(self) -> None:
        """Kill bluetoothd; it comes back after a moment."""
        exits = len(self.bluetoothd.exits)
        self._intended += 1
        self.bluetoothd.signal(Signals.SIGKILL)
        await until(lambda: len(self.bluetoothd.exits) > exits, TOOL_TIMEOUT, lambda: "bluetoothd does not die")

    async def restart_dbus(self) -> None:
        """Kill D-Bus, and with it bluetoothd, and start both again."""
        self._intended += 1
        self._dbus.signal(Signals.SIGKILL)
        await self._dbus.wait(TOOL_TIMEOUT)
        await self.tool("rm", "-f", "/run/dbus/system_bus_socket")
        self._start_dbus()

    # --- what went wrong ----------------------------------------------------------------------------------------------

    def crashes(self) -> int:
        """Return how often bluetoothd died since the last reset without being told to."""
        return max(0, len(self.bluetoothd.exits) - self._intended) if hasattr(self, "bluetoothd") else 0

    def kernel_trouble(self) -> list[str]:
        """Return what the kernel complained of, but for the fault of Debian 12's that is known."""
        if self._machine is None:
            return []
        lines = self._machine.console.lines
        known = self._known_faults()
        return [
            line
            for number, line in enumerate(lines)
            if any(word in line for word in KERNEL_TROUBLE) and not any(0 <= number - at < FAULT_LINES for at in known)
        ]

    def known_faults(self) -> int:
        """Return how often the kernel ended bluetoothd over a list of its own."""
        return len(self._known_faults())

    def _known_faults(self) -> list[int]:
        """Return where each begins on the console."""
        if self._machine is None:
            return []
        lines = list(self._machine.console.lines)
        return [
            number
            for number, line in enumerate(lines)
            if any(word in line for word in FAULT_BEGINS)
            and any(KNOWN_FAULT in each for each in lines[number : number + FAULT_LINES])
        ]

    async def collect(self, directory: Path) -> None:
        """Write logs and kernel messages to a directory; a guest that is dead gives what it can."""
        if self._machine is None:
            return
        for log in (self._machine.console, *self._logs.values()):
            log.save(directory)
        if not self.is_running:
            return
        try:
            dmesg = Log(f"{self.name}-dmesg")
            dmesg.lines.extend(await self.tool("dmesg"))
            dmesg.save(directory)
        except GuestError as error:
            logger.warning("guest %s: %s", self.name, error)
