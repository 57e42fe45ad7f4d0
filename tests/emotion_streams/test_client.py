"""Client and AsyncClient, against a real server, and as a type checker sees them."""

import asyncio
import subprocess
import sys
import threading
from contextlib import aclosing, closing
from itertools import islice
from pathlib import Path

import pytest
import redis

from emotion_streams import (
    AsyncClient,
    Client,
    InvalidRedisUrlError,
    keys,
    local_instance,
    subscribe,
)
from emotion_streams.local_instance import LocalInstance
from tests.emotion_streams.test_subscribe import publish
from tests.servers import RedisProcess, eventually


def test_the_client_reads_events_cameras_and_ledgers(client: redis.Redis, redis_url: str) -> None:
    publish(client, "1-0", "2-0")
    client.hset(keys.ledger("lobby"), "analysed", 2)
    with Client(redis_url) as streams:
        events = streams.subscribe("lobby", after="start")
        assert [event.frame_id for event in islice(events, 2)] == ["1-0", "2-0"]
        events.close()
        assert [status.camera for status in streams.cameras()] == ["lobby"]
        assert streams.ledger("lobby").analysed == 2


async def test_the_asyncio_client_reads_the_same(client: redis.Redis, redis_url: str) -> None:
    publish(client, "1-0")
    async with AsyncClient(redis_url) as streams:
        async with aclosing(streams.subscribe(after="start")) as events:
            assert (await anext(events)).frame_id == "1-0"
        assert [status.camera for status in await streams.cameras()] == ["lobby"]
        assert (await streams.ledger("lobby")).events == 1


async def test_the_client_works_beside_a_running_event_loop_as_in_a_notebook(
    client: redis.Redis, redis_url: str
) -> None:
    publish(client, "1-0")
    with Client(redis_url) as streams:
        assert next(streams.subscribe(after="start")).frame_id == "1-0"
        assert streams.ledger("lobby").events == 1


def test_a_closed_client_leaves_no_thread_and_no_connection() -> None:
    """On a server of its own: to another one those of other tests connect."""
    with RedisProcess() as server, redis.Redis(unix_socket_path=str(server.socket)) as client:
        threads = set(threading.enumerate())
        with Client(server.url) as streams:
            streams.cameras()
            assert len(client.client_list()) > 1
            streams.close()  # and once more at the end
        eventually(lambda: set(threading.enumerate()) <= threads)
        eventually(lambda: len(client.client_list()) == 1)


def test_a_client_works_again_when_its_server_is_back() -> None:
    with RedisProcess() as server, Client(server.url) as streams:
        assert streams.cameras() == []
        server.kill()
        with pytest.raises(redis.RedisError):
            streams.cameras()
        server.restart()
        assert streams.cameras() == []


async def test_a_cancelled_subscription_leaves_no_task_behind(redis_url: str) -> None:
    async with AsyncClient(redis_url) as streams:
        before = asyncio.all_tasks()
        waiting = asyncio.ensure_future(anext(streams.subscribe()))
        for _ in range(3):  # steps of the loop: `waiting` starts the reader, and waits for it
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks() - before) == 3  # `waiting`, the reader, the queue's
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert asyncio.all_tasks() == before


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_wrong_url_is_an_error_at_once(kind: type[Client] | type[AsyncClient]) -> None:
    with pytest.raises(InvalidRedisUrlError):
        kind("http://localhost")


def test_a_camera_name_that_cannot_be_one_is_an_error(redis_url: str) -> None:
    with Client(redis_url) as streams, pytest.raises(ValueError, match="camera name"):
        streams.ledger("no such}name")


def test_strict_type_checking_of_a_users_code_finds_every_type(tmp_path: Path) -> None:
    # Elsewhere, so that the package is found as it is installed.
    user = tmp_path / "user.py"
    user.write_text((Path(__file__).parent / "typed_api.py").read_text())
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(user)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_without_a_url_the_running_local_instance_is_read_and_named_in_the_log(
    client: redis.Redis,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("EMOTION_REDIS", raising=False)
    caplog.set_level("INFO")
    publish(client, "1-0")
    with local_instance.announced(LocalInstance(redis_url, "http://127.0.0.1:8080/")):
        with closing(subscribe(after="start")) as events:
            assert next(events).frame_id == "1-0"
        with Client() as streams:
            assert [status.camera for status in streams.cameras()] == ["lobby"]
    assert caplog.messages.count("the local instance, http://127.0.0.1:8080/") == 2
    # Where it is set, the environment says which.
    monkeypatch.setenv("EMOTION_REDIS", "no URL")
    with pytest.raises(InvalidRedisUrlError):
        subscribe()
