"""Both stores, for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .processes import Redis, Service, redis_server, service


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def redis(shared_redis: Redis) -> Redis:
    """A Redis with nothing in it."""
    shared_redis.forget()
    return shared_redis


@pytest.fixture(params=["sqlite", "redis"])
def store_name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The name of an empty store, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'locks.db'}"
    url: str = request.getfixturevalue("redis").url
    return url


@pytest.fixture
def served(store_name: str) -> Iterator[Service]:
    """A service on each kind of store."""
    with service("--store", store_name) as running:
        yield running


@pytest.fixture
def sqlite_served(tmp_path: Path) -> Iterator[Service]:
    """A service on a file, for what has nothing to do with the store."""
    with service("--store", f"sqlite:{tmp_path / 'locks.db'}") as running:
        yield running
