"""Fixtures that many tests share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

import producer.opencv  # noqa: F401 - cv2 reads its limits once, and some test imports it first
import worker.inference  # noqa: F401 - it silences OpenVINO, which some test imports first
from emotion_streams import redaction
from tests.servers import RedisProcess

# A shell that starts the tests in the background lets them ignore Ctrl-C, and their processes too:
# those that are tested for it would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Few examples while developing, many in CI, where a failure has to repeat. Without a deadline: the
# machine may be busy.
settings.register_profile("dev", max_examples=25, deadline=None)
settings.register_profile(
    "ci", max_examples=250, deadline=None, derandomize=True, print_blob=True, database=None
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of tests that are coroutines."""
    return "asyncio"


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers as a secret is not hidden from the tests after it."""
    monkeypatch.setattr(redaction, "_secrets", set(redaction.registered_secrets()))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisProcess]:
    """One server for the whole run; `client` and `redis_url` empty it for each test."""
    with RedisProcess() as server:
        yield server


@pytest.fixture
def client(redis_server: RedisProcess) -> Iterator[redis.Redis]:
    """A plain synchronous client of an empty server."""
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as connection:
        connection.flushall()
        yield connection


@pytest.fixture
def redis_url(redis_server: RedisProcess, client: object) -> str:
    """The URL of an empty server."""
    return redis_server.url


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with faces, clips and the face detector's file; skips where it is missing."""
    default = Path(__file__).parent.parent.parent / "shared"
    folder = Path(os.environ.get("EMOTION_SHARED", default))
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing (set EMOTION_SHARED)")
    return folder
