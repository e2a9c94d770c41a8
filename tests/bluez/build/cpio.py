"""Writing the archive format of an initrd (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).

By hand, because a device node in it would otherwise need root.
"""

from __future__ import annotations

import stat


class Archive:
    """A "newc" cpio archive in memory."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._entries = 0

    def add_directory(self, name: str) -> None:
        """Add an empty directory."""
        self._add(name, stat.S_IFDIR | 0o755)

    def add_file(self, name: str, content: bytes, *, executable: bool = False) -> None:
        """Add a file."""
        self._add(name, stat.S_IFREG | (0o755 if executable else 0o644), content)

    def add_character_device(self, name: str, major: int, minor: int) -> None:
        """Add a device node."""
        self._add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def finish(self) -> bytes:
        """Return the whole archive."""
        self._add("TRAILER!!!", 0)
        return b"".join(self._parts)

    def _add(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._entries += 1
        raw_name = name.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, device of the file, device of the node, name, checksum
        fields = (self._entries, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(raw_name), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self._parts += (_padded(header + raw_name), _padded(content))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
