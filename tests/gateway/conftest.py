"""One gateway for the tests that need nothing special of it, and a camera name for each."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import redis

from tests.gateway.browser import Browser, require
from tests.gateway.processes import Gateway
from tests.servers import RedisProcess

_numbers = count(1)


@pytest.fixture(scope="session")
def gateway(redis_server: RedisProcess) -> Iterator[Gateway]:
    """One for the whole run, so every test takes a camera of its own."""
    with Gateway(redis_server.url, "--max-rate", "100000") as process:
        yield process


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """A Chromium for the tests of a module; `browser` makes it as new for each of them."""
    require()
    with Browser() as opened:
        yield opened


@pytest.fixture
def camera() -> str:
    return f"camera-{next(_numbers)}"


@pytest.fixture
def store(redis_server: RedisProcess) -> Iterator[Any]:
    """A client of the server as it is: what the other tests left stays."""
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as connection:
        yield connection
