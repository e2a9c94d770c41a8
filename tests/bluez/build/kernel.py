"""The guests' kernel: Debian's own, unpacked, with a small initrd that finds the root and loads all modules."""

from __future__ import annotations

import gzip
import lzma
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .cache import Cache
from .commands import BuildError, run
from .cpio import Archive
from .debian import Suite

INIT = Path(__file__).parent.parent / "guest_side" / "init.sh"

#: To be changed with what is made below.
RECIPE = 1
#: In the order in which they are loaded, each after what it depends on: the root's file systems, the serial ports, and
#: what BlueZ uses. All are in the initrd, so that a guest root needs neither modules nor modprobe.
MODULES = (
    *("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console", "virtio_rng"),
    *("hci_vhci", "cmac", "ecb", "algif_hash", "algif_skcipher", "uhid"),
)


@dataclass(frozen=True)
class Kernel:
    """A kernel image and its initrd."""

    version: str
    image: Path
    initrd: Path


def build(cache: Cache, suite: str) -> Kernel:
    """Return the kernel that a Debian suite ships."""
    directory = cache.artefact(f"kernel-{suite}", (RECIPE, INIT.read_text(), MODULES), lambda path: _make(suite, path))
    version = (directory / "version").read_text()
    return Kernel(version, directory / "image", directory / "initrd.gz")


def _make(suite: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        scratch = Path(name)
        source = Suite(suite, scratch / "apt")
        tree = scratch / "tree"
        source.unpack(source.dependency("linux-image-amd64", r"linux-image-\d.*"), tree)
        source.unpack("busybox-static", tree)
        (image,) = (tree / "boot").glob("vmlinuz-*")
        version = image.name.removeprefix("vmlinuz-")
        (target / "image").write_bytes(_unpacked(image.read_bytes()))
        (target / "version").write_text(version)
        (target / "initrd.gz").write_bytes(_initrd(tree, version))


def _unpacked(image: bytes) -> bytes:
    """Return the kernel proper, if it was packed with xz: unpacking takes an emulator three seconds of each boot.

    Where it is in the image is told by the image's header (Linux, Documentation/arch/x86/boot.rst).
    """
    (setup_sectors,) = struct.unpack_from("B", image, 0x1F1)
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start : start + length]
    if not payload.startswith(b"\xfd7zXZ"):
        return image
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(payload)  # behind it is its length, which is no xz


def _initrd(tree: Path, version: str) -> bytes:
    archive = Archive()
    for directory in ("bin", "modules", "proc", "sys", "dev", "root", "repo", "rw", "new"):
        archive.add_directory(directory)
    archive.add_character_device("dev/console", 5, 1)  # without it, init has nowhere to speak
    (busybox,) = (path for path in (tree / "bin/busybox", tree / "usr/bin/busybox") if path.exists())
    archive.add_file("bin/busybox", busybox.read_bytes(), executable=True)
    archive.add_file("init", INIT.read_bytes(), executable=True)
    for number, module in enumerate(_modules_with_dependencies(tree, version)):
        archive.add_file(f"modules/{number:03}-{module.name.partition('.')[0]}.ko", _uncompressed(module))
    return gzip.compress(archive.finish(), compresslevel=6)


def _modules_with_dependencies(tree: Path, version: str) -> list[Path]:
    base = tree / "usr" if (tree / "usr/lib/modules").is_dir() else tree
    run("depmod", "-b", base, version)
    found: dict[Path, None] = {}  # an ordered set
    for module in MODULES:
        for line in run("modprobe", "-d", base, "-S", version, "--show-depends", module).splitlines():
            action, _, path = line.strip().partition(" ")
            if action == "insmod":
                found[Path(path.strip())] = None
            elif action != "builtin":
                raise BuildError(f"cannot tell what {module} of Linux {version} needs: {line}")
    return list(found)


def _uncompressed(module: Path) -> bytes:
    content = module.read_bytes()
    return lzma.decompress(content) if module.suffix == ".xz" else content
