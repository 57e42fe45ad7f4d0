"""The page on a server of its own, whose Redis each test finds empty."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.gateway.browser import Browser, as_new
from tests.gateway.processes import Gateway
from tests.servers import RedisProcess


@pytest.fixture(scope="module")
def server() -> Iterator[RedisProcess]:
    with RedisProcess() as process:
        yield process


@pytest.fixture(scope="module")
def page(server: RedisProcess) -> Iterator[Gateway]:
    with Gateway(server.url) as process:
        yield process


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    yield from as_new(window, 1280, 1000)


@pytest.fixture
def store(server: RedisProcess) -> Iterator[Any]:
    with redis.Redis(unix_socket_path=str(server.socket)) as connection:
        connection.flushall()
        yield connection
