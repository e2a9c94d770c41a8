"""JSON objects in packets, as they come from strangers."""

from __future__ import annotations

import json
from typing import Any


class Nonsense(Exception):
    """A packet that no program of ours makes."""


def fields(body: bytes, **kinds: type) -> list[Any]:
    """Return these fields of a JSON object, each of its type. Raises Nonsense."""
    try:
        values = [json.loads(body)[name] for name in kinds]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Nonsense from error
    if any(type(value) is not kind for value, kind in zip(values, kinds.values(), strict=True)):
        raise Nonsense
    return values


def printable(text: str, longest: int = 200) -> str:
    """Return what a stranger wrote without what could command a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:longest])
