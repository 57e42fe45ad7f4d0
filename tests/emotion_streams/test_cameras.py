"""The registry of cameras, and the status of each."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from emotion_streams import (
    CameraStatus,
    camera_report,
    connect_async,
    keys,
    list_cameras,
    registry,
)
from emotion_streams.connection import Client
from emotion_streams.registry import registered
from tests.servers import RedisProcess

LARGE = bytes(1 << 20)
SMALL_REPLIES = ("--client-output-buffer-limit", "normal 4mb 0 0")
"""The server ends a connection at a reply with five large fields or names."""


async def statuses(redis_url: str) -> dict[str, CameraStatus]:
    async with connect_async(redis_url) as client:
        return {status.camera: status for status in await list_cameras(client)}


async def test_names_that_no_camera_can_have_are_left_out(
    client: redis.Redis, redis_url: str
) -> None:
    client.zadd(keys.CAMERAS, {b"lobby": 2, b"door": 1, b"\xff": 1, b"": 1, b"a}b": 1})
    async with connect_async(redis_url) as connection:
        assert await registered(connection) == {"door": 1, "lobby": 2}
    assert list(await statuses(redis_url)) == ["door", "lobby"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fps", "x"),
        ("fps", "nan"),
        ("width", "wide"),
        ("error", b"\xff"),
        ("state", "new"),
        ("state", "gone"),
    ],
)
async def test_a_camera_that_cannot_be_read_is_gone_and_the_others_are_as_they_are(
    client: redis.Redis, redis_url: str, field: str, value: str | bytes
) -> None:
    seconds, _ = client.time()
    client.zadd(keys.CAMERAS, {"bad": seconds * 1000, "good": seconds * 1000})
    client.hset(keys.camera_info("bad"), mapping={"state": "up", field: value})
    client.hset(keys.camera_info("good"), mapping={"state": "up", "fps": 5})
    client.xadd(keys.frames("bad"), {"frame": b""})
    found = await statuses(redis_url)
    assert (found["good"].state, found["good"].fps, found["good"].error) == ("up", 5, "")
    assert (found["bad"].state, found["bad"].backlog) == ("gone", 1)
    assert "camera:{bad}" in found["bad"].error
    assert "cannot be read" in found["bad"].error


async def test_a_lease_that_cannot_be_read_is_reported_in_the_same_way(
    client: redis.Redis, redis_url: str
) -> None:
    client.zadd(keys.CAMERAS, {"bad": 1})
    client.hset(keys.lease("bad"), "expires_ms", "soon")
    assert "lease:{bad}" in (await statuses(redis_url))["bad"].error


@pytest.mark.parametrize("key", [keys.camera_info, keys.lease, keys.frames])
async def test_a_key_of_another_type_hides_no_other_camera(
    client: redis.Redis, redis_url: str, key: Callable[[str], str]
) -> None:
    seconds, _ = client.time()
    client.zadd(keys.CAMERAS, {"bad": seconds * 1000, "good": seconds * 1000})
    client.hset(keys.camera_info("good"), mapping={"state": "up"})
    client.set(key("bad"), "of a foreign type")
    found = await statuses(redis_url)
    assert found["good"].state == "up"
    assert found["bad"].state == "gone"
    assert key("bad") in found["bad"].error


async def test_a_date_in_the_future_is_not_believed(client: redis.Redis, redis_url: str) -> None:
    seconds, _ = client.time()
    client.zadd(keys.CAMERAS, {"future": (seconds + 3600) * 1000, "now": seconds * 1000})
    client.zadd(keys.CAMERAS, {"never": "+inf"})
    found = await statuses(redis_url)
    assert {name: found[name].state for name in found} == {
        "future": "gone", "never": "gone", "now": "up",
    }  # fmt: skip


async def test_no_number_of_later_names_hides_a_camera_that_was_analysed(
    client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_CAMERAS", 4)
    seconds, _ = client.time()
    heartbeats = {"door": seconds - 90, "lobby": seconds, "never": float("inf")}
    later = {f"fake{n}": seconds + n for n in range(6)}
    client.zadd(keys.CAMERAS, {name: at * 1000 for name, at in (heartbeats | later).items()})
    client.zadd(keys.ANALYSED, dict.fromkeys((*heartbeats, "removed"), 1))
    async with connect_async(redis_url) as connection:
        found = await registered(connection, seconds * 1000)
    assert list(found) == ["door", "fake5", "lobby", "never"]
    assert found["door"] == heartbeats["door"] * 1000
    assert found["never"] == 0


async def test_cameras_with_the_latest_heartbeats_are_read_if_there_are_too_many(
    client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_CAMERAS", 3)
    seconds, _ = client.time()
    client.zadd(keys.CAMERAS, {f"cam{n}": (seconds - n) * 1000 for n in range(6)})
    client.zadd(keys.CAMERAS, {f"future{n}": (seconds + 3600) * 1000 for n in range(6)})
    assert list(await statuses(redis_url)) == ["cam0", "cam1", "cam2"]


@pytest.fixture(scope="module")
def frugal_server() -> Iterator[RedisProcess]:
    with RedisProcess(*SMALL_REPLIES) as server:
        yield server


@pytest.fixture
def frugal(frugal_server: RedisProcess) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(frugal_server.socket)) as connection:
        connection.flushall()
        yield connection


def attach(client: redis.Redis, *cameras: str) -> None:
    seconds, _ = client.time()
    client.zadd(keys.CAMERAS, dict.fromkeys(cameras, seconds * 1000 + 50_000))
    for camera in cameras:
        client.hset(keys.camera_info(camera), "state", "up")


async def test_fields_of_any_size_beside_those_of_a_camera_are_not_read(
    frugal: redis.Redis, frugal_server: RedisProcess
) -> None:
    attach(frugal, "good", "odd")
    for number in range(10):
        frugal.hset(keys.camera_info("odd"), f"field{number}", LARGE)
    found = await statuses(frugal_server.url)
    assert (found["good"].state, found["odd"].state) == ("up", "up")


@pytest.mark.parametrize("large", [1, 8], ids=["that is sent", "that is never sent"])
async def test_a_report_that_is_too_large_hides_no_other_camera(
    frugal: redis.Redis, frugal_server: RedisProcess, large: int
) -> None:
    attach(frugal, "bad", "good")
    fields = ("error", "title", "group", "state", "fps", "width", "height", "last_frame_ms")
    for field in fields[:large]:
        frugal.hset(keys.camera_info("bad"), field, LARGE)
    found = await statuses(frugal_server.url)
    assert (found["good"].state, found["bad"].state) == ("up", "gone")
    assert "camera:{bad} cannot be read: it has " in found["bad"].error


async def test_a_report_that_is_deleted_while_it_is_asked_about_hides_no_camera(
    frugal: redis.Redis, frugal_server: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach(frugal, "bad", "good")
    for field in ("error", "title", "group", "state", "fps", "width", "height", "last_frame_ms"):
        frugal.hset(keys.camera_info("bad"), field, LARGE)
    oversize = camera_report._oversize

    async def deleted(client: Client, camera: str) -> int:
        frugal.delete(keys.camera_info("bad"))  # as the camera's worker does
        return await oversize(client, camera)

    monkeypatch.setattr(camera_report, "_oversize", deleted)
    found = await statuses(frugal_server.url)
    assert found["good"].state == "up"
    assert "bad" in found


async def test_names_that_are_never_sent_hide_no_camera_that_was_analysed(
    frugal: redis.Redis, frugal_server: RedisProcess
) -> None:
    attach(frugal, "door", "lobby", "new")
    frugal.zadd(keys.ANALYSED, {"door": 1, "lobby": 1})
    for number in range(8):
        frugal.zadd(keys.CAMERAS, {b"%d" % number + LARGE: 2**50 * number})
    found = await statuses(frugal_server.url)
    assert {name: found[name].state for name in found} == {"door": "up", "lobby": "up"}


async def test_a_server_that_is_gone_is_no_cameras_fault() -> None:
    with RedisProcess() as server:
        async with connect_async(server.url) as connection:
            assert await list_cameras(connection) == []
            server.kill()
            with pytest.raises(redis.exceptions.ConnectionError):
                await list_cameras(connection)


async def test_control_characters_of_a_report_are_escaped(
    client: redis.Redis, redis_url: str
) -> None:
    attach(client, "odd")
    report: dict[Any, Any] = {
        "error": "no\0route\x1b[2J",
        "title": "Ha\nll",
        "group": "\x9bEtage 1",
    }
    client.hset(keys.camera_info("odd"), mapping=report)
    odd = (await statuses(redis_url))["odd"]
    assert odd.error == "no\\x00route\\x1b[2J"
    assert (odd.title, odd.group) == ("Ha\\x0all", "\\x9bEtage 1")
