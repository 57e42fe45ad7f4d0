"""Whether frames reach the disk of a Redis that is somebody's own."""

import asyncio
from collections.abc import Iterator

import pytest
import redis

from emotion_streams.connection import connect_async
from tests.servers import PATIENCE_S, RedisProcess
from worker.persistence import warn_if_persistent


@pytest.fixture
def server() -> Iterator[RedisProcess]:
    with RedisProcess() as process:
        yield process


async def warnings(url: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    async with asyncio.timeout(PATIENCE_S), connect_async(url) as client:
        await warn_if_persistent(client)
    return caplog.messages


async def test_a_server_that_keeps_all_in_memory_causes_no_warning(
    server: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    assert await warnings(server.url, caplog) == []


@pytest.mark.parametrize(("setting", "value"), [("save", "60 1"), ("appendonly", "yes")])
async def test_a_server_that_writes_to_disk_is_warned_of(
    server: RedisProcess, caplog: pytest.LogCaptureFixture, setting: str, value: str
) -> None:
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.config_set(setting, value)
    (warning,) = await warnings(server.url, caplog)
    assert f"{setting} {value}" in warning.replace('"', "")


@pytest.mark.parametrize(
    ("policy", "warned"),
    [("allkeys-lru", 1), ("allkeys-random", 1), ("volatile-lru", 0), ("noeviction", 0)],
)
async def test_a_server_that_evicts_keys_of_ours_is_warned_of(
    server: RedisProcess, caplog: pytest.LogCaptureFixture, policy: str, warned: int
) -> None:
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.config_set("maxmemory-policy", policy)
    said = await warnings(server.url, caplog)
    assert len(said) == warned
    assert all(f"maxmemory-policy {policy}" in warning for warning in said)


async def test_a_user_who_may_not_read_settings_is_not_refused_for_asking(
    server: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    rights = ("~*", "-@all", "+@connection", "+evalsha", "+script|load")
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.config_set("save", "60 1")
        client.execute_command("ACL", "SETUSER", "worker", "on", ">secret", *rights)
        assert await warnings(f"unix://worker:secret@{server.socket}", caplog) == []
        assert client.acl_log() == []
