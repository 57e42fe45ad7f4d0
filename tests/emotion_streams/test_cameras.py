"""The registry of cameras, and the status of each."""

from collections.abc import Callable

import pytest
import redis

from emotion_streams import CameraStatus, connect_async, keys, list_cameras, registry
from emotion_streams.registry import registered


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
