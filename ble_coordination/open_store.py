"""Which store is meant: by a text such as a command line has, or by the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .errors import SettingError
from .store import Store

#: The environment variable that names a Redis server.
REDIS_URL = "COORDINATION_REDIS_URL"
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


def store_named(text: str) -> Store:
    """Return the store that `text` names: ``sqlite:PATH``, or the URL of a Redis server.

    Raises:
        SettingError: it names none.
    """
    scheme, _, path = text.partition(":")
    if scheme == "sqlite" and path:
        from .sqlite_store import SqliteStore

        return SqliteStore(path)
    if text.startswith(REDIS_SCHEMES):
        from .redis_store import RedisStore

        return RedisStore(text)
    raise SettingError(f"a store is sqlite:PATH or redis://HOST:PORT/DATABASE, not {text!r}")


def default_store(environment: Mapping[str, str] = os.environ) -> str:
    """Return the text that names the store if nobody says which.

    That is Redis if ``COORDINATION_REDIS_URL`` is set; else a file in the directory that systemd has made for the
    service, else in ``$XDG_STATE_HOME/ble-coordination``, which is made.
    """
    url = environment.get(REDIS_URL)
    if url:
        return url
    state = environment.get("STATE_DIRECTORY")
    if state is None:
        home = Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "ble-coordination"
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = str(home)
    return f"sqlite:{Path(state) / 'locks.db'}"
