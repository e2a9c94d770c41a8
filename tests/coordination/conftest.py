"""Both stores, for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .processes import Redis, Service, ask, redis_server, service


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


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def one_service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on each kind of store, for all tests of a file: it takes a second or two to start."""
    directory = tmp_path_factory.mktemp("service")
    if request.param == "sqlite":
        with service("--store", f"sqlite:{directory / 'locks.db'}") as running:
            yield running
    else:
        with redis_server(directory) as own, service("--store", own.url) as running:
            yield running


@pytest.fixture
def served(one_service: Service) -> Iterator[Service]:
    """A service on each kind of store, on which nothing is locked."""
    yield one_service
    release_all(one_service)


@pytest.fixture(scope="module")
def one_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("service")
    with service("--store", f"sqlite:{directory / 'locks.db'}") as running:
        yield running


@pytest.fixture
def sqlite_served(one_on_sqlite: Service) -> Iterator[Service]:
    """A service on a file, for what has nothing to do with the store; nothing is locked on it."""
    yield one_on_sqlite
    release_all(one_on_sqlite)


def release_all(running: Service) -> None:
    for device in ask(f"{running.url}/api/locks/status")[1]["devices"]:
        body = {"device_name": device["device_name"], "force": True, "user_id": "test"}
        ask(f"{running.url}/api/lock/release", body)
