"""The options of a driver: the keyword arguments of its class, also as text from a configuration file."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Any, Union

from .errors import InvalidOptionError

_WORDS = {
    **dict.fromkeys(("yes", "true", "on", "1"), True),
    **dict.fromkeys(("no", "false", "off", "0"), False),
}


def options_of(factory: type) -> dict[str, Any]:
    """Return the options of a driver class or other factory: name and type of each keyword argument."""
    hints = typing.get_type_hints(factory.__init__)  # type: ignore[misc]  # of the class itself, not of an instance
    parameters = inspect.signature(factory).parameters.values()
    return {p.name: hints.get(p.name, Any) for p in parameters if p.kind is not p.VAR_KEYWORD}


def text_options_of(factory: type) -> dict[str, Any]:
    """Return those options of `factory` that a text can express: strings, numbers, yes and no."""
    return {name: hint for name, hint in options_of(factory).items() if _plain_type(hint) is not None}


def parse_option(name: str, text: str, hint: Any) -> object:
    """Return the value that `text` stands for, as the type `hint` says.

    Raises:
        InvalidOptionError: the text cannot be read as that type.
    """
    plain = _plain_type(hint)
    try:
        if plain is bool:
            return _WORDS[text.strip().lower()]
        if plain in (int, float):
            return plain(text)
    except (ValueError, KeyError):
        kind = "yes or no" if plain is bool else "a whole number" if plain is int else "a number"
        raise InvalidOptionError(f"{name} must be {kind}, not {text!r}") from None
    return text


def check_options(given: Mapping[str, object], factory: type, what: str) -> None:
    """Refuse options that `factory` does not have, naming what was probably meant, and the lack of one it needs.

    Raises:
        InvalidOptionError: see above.
    """
    known = options_of(factory)
    for name in given:
        if name not in known:
            raise InvalidOptionError(f"{what} has no option {name!r}{suggestion(name, known)}")
    for name, parameter in inspect.signature(factory).parameters.items():
        if parameter.default is parameter.empty and name in known and name not in given:
            raise InvalidOptionError(f"{what} needs the option {name!r}")


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return the end of an error message: what was probably meant, or what there is."""
    names = sorted(names)
    close = difflib.get_close_matches(name, names, n=1)
    return f": did you mean {close[0]!r}?" if close else f"; it has: {', '.join(names) or 'none'}"


def _plain_type(hint: Any) -> type | None:
    if typing.get_origin(hint) in (Union, UnionType):
        hints = [h for h in typing.get_args(hint) if h is not NoneType]
        # What may also be an object, such as a client beside its URL, is the string when it comes as text.
        hint = hints[0] if len(hints) == 1 else str if str in hints else None
    return hint if hint in (str, int, float, bool) else None
