"""One virtual machine: qemu, its serial ports and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path

from ..build.kernel import Kernel
from ..build.roots import GuestRoot
from . import children
from .log import Log

QEMU = "qemu-system-x86_64"
#: MiB of memory; what the guest writes to files is in it as well.
MEMORY = 1024
#: An emulator is equally slow with all; this is the smallest on which Python wheels run (x86-64-v2).
CPU = {"kvm": "host", "tcg": "Nehalem"}
#: MiB of translated code that an emulator keeps.
TRANSLATION_CACHE = 256
#: Controllers that can be plugged in as adapters, each behind a serial port of its own: radio0, radio1, …
RADIO_PORTS = 3
CONSOLE = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr"
#: What a guest tells the time by. Its kernel measures how fast the processor's counter runs while it boots; in an
#: emulator that had to wait just then, the measure was found to be wrong by a factor of five, and so were all
#: time-outs. What reads the host's clock needs no measuring.
CLOCK = {"kvm": "tsc=reliable", "tcg": "clocksource=hpet tsc=unstable"}


@dataclass(frozen=True)
class Accelerator:
    """How guests are executed: "kvm" or "tcg", and why."""

    name: str
    reason: str

    @property
    def options(self) -> tuple[str, ...]:
        """What to tell qemu."""
        if self.name == "tcg":
            return "-accel", f"tcg,thread=multi,tb-size={TRANSLATION_CACHE}", "-cpu", CPU["tcg"]
        return "-accel", self.name, "-cpu", CPU[self.name]


def bare(accelerator: Accelerator, kernel: Kernel, memory: int, append: str) -> list[str]:
    """Return the command line of a machine without devices, which speaks on its console."""
    arguments = f"{CONSOLE} {CLOCK[accelerator.name]} {append}"
    return [
        *(QEMU, "-nodefaults", "-no-user-config", "-machine", "q35", *accelerator.options, "-smp", "1"),
        *("-m", str(memory), "-display", "none", "-no-reboot", "-serial", "stdio"),
        *("-kernel", str(kernel.image), "-initrd", str(kernel.initrd), "-append", arguments),
    ]


def _share(tag: str, path: Path) -> list[str]:
    return [
        *("-fsdev", f"local,id={tag},path={path},security_model=none,readonly=on,multidevs=remap"),
        *("-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"),
    ]


def _radio_port(number: int, host: str, port: int) -> list[str]:
    return [
        *("-chardev", f"socket,id=radio{number},host={host},port={port},nodelay=on"),
        *("-device", f"virtserialport,chardev=radio{number},name=radio{number},nr={2 + number}"),
    ]


class Machine:
    """A running virtual machine.

    Attributes:
        control: the host's end of the control port.
        console: what the kernel and the init script said.
    """

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, console: Log) -> None:
        self._process = process
        self.control = control
        self.console = console
        assert process.stdout is not None
        self._follower = asyncio.ensure_future(console.follow(process.stdout))

    @classmethod
    async def start(cls, name: str, root: GuestRoot, repo: Path, radio: tuple[str, int], accel: Accelerator) -> Machine:
        """Start a machine with `RADIO_PORTS` controllers of the radio at this address."""
        ours, theirs = socket.socketpair()
        host, port = radio
        argv = [
            *bare(accel, root.kernel, MEMORY, f"rig.python={root.python}"),
            *("-name", name, "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
            *("-chardev", f"socket,id=control,fd={theirs.fileno()}"),
            *("-device", "virtserialport,chardev=control,name=control,nr=1"),
            *(option for number in range(RADIO_PORTS) for option in _radio_port(number, host, port)),
            *_share("root", root.path),
            *_share("repo", repo),
        ]
        with theirs:
            process = await children.start(argv, pass_fds=[theirs.fileno()])
        return cls(process, ours, Log(f"{name}-console"))

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def kill(self) -> None:
        """Take its battery out."""
        await children.kill(self._process)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._follower, 1.0)
        self.control.close()
