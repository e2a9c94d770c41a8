"""What goes over a socket: lines of JSON until both agree to have a link, then frames behind their length."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

from ble_driver import LinkError

_LENGTH = struct.Struct(">H")


async def send_line(writer: asyncio.StreamWriter, **fields: Any) -> None:
    writer.write(json.dumps(fields).encode() + b"\n")
    await writer.drain()


async def read_line(reader: asyncio.StreamReader) -> dict[str, Any]:
    """Return what the peer says; raise LinkError if it hangs up or says what makes no sense."""
    try:
        fields = json.loads(await reader.readline())
    except (ValueError, OSError) as error:
        raise LinkError(f"the peer hung up, or speaks otherwise: {error}") from error
    if not isinstance(fields, dict):
        raise LinkError(f"the peer speaks otherwise: {fields!r}")
    return fields


async def send_frame(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(_LENGTH.pack(len(frame)) + frame)
    await writer.drain()


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next frame; raise asyncio.IncompleteReadError or OSError at the end."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)
