"""The registry of cameras, and what is told of each."""

import asyncio

import pytest
import redis

from emotion_streams import CameraStatus, connect, keys, list_cameras
from emotion_streams.cameras import registered


def statuses(redis_url: str) -> dict[str, CameraStatus]:
    async def read() -> list[CameraStatus]:
        async with connect(redis_url) as client:
            return await list_cameras(client)

    return {status.camera: status for status in asyncio.run(read())}


def test_names_that_no_camera_can_have_are_left_out(client: redis.Redis, redis_url: str) -> None:
    client.zadd(keys.CAMERAS, {b"lobby": 2, b"door": 1, b"\xff": 1, b"": 1, b"a}b": 1})

    async def read() -> dict[str, float]:
        async with connect(redis_url) as connection:
            return await registered(connection)

    assert asyncio.run(read()) == {"door": 1, "lobby": 2}
    assert list(statuses(redis_url)) == ["door", "lobby"]


@pytest.mark.parametrize(
    ("field", "value"), [("fps", "x"), ("fps", "nan"), ("width", "wide"), ("error", b"\xff")]
)
def test_a_camera_that_cannot_be_read_is_gone_and_the_others_are_as_they_are(
    client: redis.Redis, redis_url: str, field: str, value: str | bytes
) -> None:
    seconds, _ = client.time()
    client.zadd(keys.CAMERAS, {"bad": seconds * 1000, "good": seconds * 1000})
    client.hset(keys.camera_info("bad"), mapping={"state": "up", field: value})
    client.hset(keys.camera_info("good"), mapping={"state": "up", "fps": 5})
    client.xadd(keys.frames("bad"), {"frame": b""})
    found = statuses(redis_url)
    assert (found["good"].state, found["good"].fps, found["good"].error) == ("up", 5, "")
    assert (found["bad"].state, found["bad"].lag) == ("gone", 1)
    assert "camera:{bad}" in found["bad"].error
    assert "cannot be read" in found["bad"].error


def test_a_lease_that_cannot_be_read_is_told_in_the_same_way(
    client: redis.Redis, redis_url: str
) -> None:
    client.zadd(keys.CAMERAS, {"bad": 1})
    client.hset(keys.lease("bad"), "expires_ms", "soon")
    assert "lease:{bad}" in statuses(redis_url)["bad"].error
