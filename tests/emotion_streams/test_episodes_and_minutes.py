"""Subscriptions to episodes, and ranges of episodes and minutes, against a real server."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgpack
import pytest
import redis
from redis.exceptions import ResponseError

from emotion_streams import (
    AsyncClient,
    Client,
    InvalidRedisUrlError,
    keys,
    read_episodes,
    read_minutes,
    read_minutes_async,
    subscribe_episodes,
    subscribe_episodes_async,
)
from emotion_streams.connection import connect
from emotion_streams.minutes import MINUTE_MS
from tests import samples
from tests.people import write_episode, write_episodes, write_minutes
from tests.servers import PATIENCE_S, RedisProcess, free_port
from tests.topologies import Cluster

START_MS = 1_700_000_040_000


def ids(episodes: Any, count: int) -> list[str | None]:
    found = [episode.entry_id for episode in islice(episodes, count)]
    episodes.close()
    return found


def test_from_the_start_yields_every_record_in_order(client: redis.Redis, redis_url: str) -> None:
    write_episodes(client, "1-0", "1-1", "2-0")
    assert ids(subscribe_episodes(redis_url, "lobby", after="start"), 3) == ["1-0", "1-1", "2-0"]


def test_a_record_is_the_one_that_was_written_with_its_place(
    client: redis.Redis, redis_url: str
) -> None:
    write_episodes(client, "5-0")
    episodes = subscribe_episodes(redis_url, after="start")
    episode = next(episodes)
    episodes.close()
    assert episode == samples.episode("lobby", track="5-0.0", entry_id="5-0")


def test_after_an_entry_id_resumes_behind_it(client: redis.Redis, redis_url: str) -> None:
    write_episodes(client, "1-0", "2-0", "3-0")
    assert ids(subscribe_episodes(redis_url, "lobby", after="1-0"), 2) == ["2-0", "3-0"]


async def test_all_cameras_include_one_that_is_attached_later(
    client: redis.Redis, redis_url: str
) -> None:
    write_episodes(client, "1-0", camera="lobby")
    async with (
        asyncio.timeout(PATIENCE_S),
        aclosing(subscribe_episodes_async(redis_url, after="start")) as episodes,
    ):
        assert (await anext(episodes)).camera == "lobby"
        write_episodes(client, "5-0", camera="door")
        assert (await anext(episodes)).camera == "door"


async def test_from_now_on_yields_only_new_records_of_a_camera_that_returns(
    client: redis.Redis, redis_url: str
) -> None:
    """Records outlive the camera's place in the registry."""
    write_episodes(client, "1-0", camera="door")
    client.zrem(keys.CAMERAS, "door")
    write_episodes(client, "1-0", camera="lobby")
    async with (
        asyncio.timeout(PATIENCE_S),
        aclosing(subscribe_episodes_async(redis_url)) as episodes,
    ):
        first = asyncio.ensure_future(anext(episodes))
        while not first.done():  # until the subscription has begun
            write_episode(client, samples.episode("lobby"))
            await asyncio.sleep(0.05)
        client.zadd(keys.CAMERAS, {"door": 1})
        written = write_episode(client, samples.episode("door"))
        assert await anext(e.entry_id async for e in episodes if e.camera == "door") == written


def test_an_entry_that_is_not_a_record_of_the_camera_is_skipped(
    client: redis.Redis, redis_url: str
) -> None:
    key = keys.episodes("lobby")
    client.xadd(key, {"episode": b"\xc1"}, id="1-0")
    client.xadd(key, {"other": b"x"}, id="2-0")
    client.xadd(key, {"episode": samples.episode("door").pack()}, id="3-0")
    write_episodes(client, "4-0")
    assert ids(subscribe_episodes(redis_url, "lobby", after="start"), 1) == ["4-0"]


async def test_a_subscription_survives_a_restart_of_redis() -> None:
    with RedisProcess(port=free_port()) as server, redis.Redis(port=server.port) as client:
        write_episodes(client, "1-0")
        async with (
            asyncio.timeout(PATIENCE_S),
            aclosing(subscribe_episodes_async(server.url, "lobby", after="start")) as episodes,
        ):
            assert (await anext(episodes)).entry_id == "1-0"
            server.kill()
            await asyncio.to_thread(server.restart)
            write_episodes(client, "1-0", "2-0")  # the server came back empty
            assert (await anext(episodes)).entry_id == "2-0"


def test_episodes_and_minutes_are_read_from_a_cluster() -> None:
    with (
        Cluster() as cluster,
        Client(cluster.url) as streams,
        connect(cluster.url) as client,
    ):
        for camera in ("lobby", "door", "yard"):
            write_episodes(client, "1-0", camera=camera)
            write_minutes(client, samples.minute(camera))
        episodes = streams.subscribe_episodes(after="start")
        assert {episode.camera for episode in islice(episodes, 3)} == {"lobby", "door", "yard"}
        episodes.close()
        assert list(streams.read_minutes("door")) == [samples.minute("door")]


@pytest.mark.parametrize("call", [subscribe_episodes, subscribe_episodes_async])
def test_a_wrong_url_camera_or_place_is_an_error_in_the_call(call: Callable[..., object]) -> None:
    with pytest.raises(InvalidRedisUrlError):
        call("http://box")
    with pytest.raises(ValueError, match="camera name"):
        call("redis://127.0.0.1:1", "no such {name}")
    with pytest.raises(ValueError, match="after 'bogus'"):
        call("redis://127.0.0.1:1", "lobby", "bogus")


def day(camera: str = "lobby", minutes: int = 1440) -> list[Any]:
    return [samples.minute(camera, START_MS + n * MINUTE_MS) for n in range(minutes)]


def test_minutes_of_a_day_are_read_page_by_page_oldest_first(
    client: redis.Redis, redis_url: str
) -> None:
    minutes = day()
    write_minutes(client, *minutes)
    assert list(read_minutes(redis_url, "lobby")) == minutes


def test_a_minute_of_an_older_worker_is_read(client: redis.Redis, redis_url: str) -> None:
    """It does not count people at once: they were not more than faces or tracks."""
    for camera, faces_max, tracks, mean, most in (
        ("lobby", 2, 3, 54 / (60 * 0.98), 2),
        ("door", 3, 2, 54 / (60 * 0.98), 2),
        ("slow", 3, 0, 0.75, 3),
    ):
        minute = samples.minute(camera)
        assert minute.people
        people = replace(
            minute.people, faces_max=faces_max, tracks=tracks, people_mean=mean, people_max=most
        )
        fields = replace(minute, people=people).to_dict()
        del fields["people"]["people_mean"], fields["people"]["people_max"]
        entry_id = f"{minute.start_ms}-0"
        client.xadd(keys.minutes(camera), {"minute": msgpack.packb(fields)}, id=entry_id)
        assert list(read_minutes(redis_url, camera)) == [replace(minute, people=people)]


def test_a_range_begins_with_its_start_and_ends_before_its_end(
    client: redis.Redis, redis_url: str
) -> None:
    minutes = day(minutes=10)
    write_minutes(client, *minutes)
    start = datetime.fromtimestamp(START_MS / 1000, UTC) + timedelta(minutes=2)
    assert (
        list(read_minutes(redis_url, "lobby", start, start + timedelta(minutes=3)))
        == (minutes[2:5])
    )
    assert (
        list(read_minutes(redis_url, "lobby", START_MS + 1, START_MS + 2 * MINUTE_MS))
        == (minutes[1:2])
    )
    assert list(read_minutes(redis_url, "lobby", end=START_MS)) == []


def test_episodes_are_read_by_the_time_at_which_they_were_written(
    client: redis.Redis, redis_url: str
) -> None:
    write_episodes(client, "10-0", "20-0", "20-7", "30-0")
    assert ids(read_episodes(redis_url, "lobby", 20, 30), 9) == ["20-0", "20-7"]
    assert ids(read_episodes(redis_url, "lobby"), 9) == ["10-0", "20-0", "20-7", "30-0"]


def test_more_entries_in_a_millisecond_than_a_page_holds_are_all_read(
    client: redis.Redis, redis_url: str
) -> None:
    written = [f"7-{n}" for n in range(1200)]
    write_episodes(client, *written)
    assert [each.entry_id for each in read_episodes(redis_url, "lobby")] == written


def test_minutes_that_start_at_another_time_than_their_entry_are_skipped(
    client: redis.Redis, redis_url: str
) -> None:
    key = keys.minutes("lobby")
    client.xadd(key, {"minute": samples.minute("door", 60_000).pack()}, id="60000-0")
    client.xadd(key, {"minute": samples.minute("lobby", 60_000).pack()}, id="120000-0")
    client.xadd(key, {"minute": b"\xc1"}, id="180000-0")
    write_minutes(client, samples.minute("lobby", 240_000))
    assert [minute.start_ms for minute in read_minutes(redis_url, "lobby")] == [240_000]


def test_a_camera_without_minutes_has_an_empty_range(redis_url: str, client: redis.Redis) -> None:
    assert list(read_minutes(redis_url, "unknown")) == []


def test_a_key_of_another_type_is_an_error(client: redis.Redis, redis_url: str) -> None:
    client.set(keys.minutes("lobby"), "no stream")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        next(read_minutes(redis_url, "lobby"))


@pytest.mark.parametrize("call", [read_minutes, read_episodes, read_minutes_async])
def test_a_wrong_url_camera_or_time_is_an_error_in_the_call_of_a_range(
    call: Callable[..., object],
) -> None:
    url = "redis://127.0.0.1:1"
    with pytest.raises(InvalidRedisUrlError):
        call("http://box", "lobby")
    with pytest.raises(ValueError, match="camera name"):
        call(url, "no such {name}")
    with pytest.raises(ValueError, match="has no zone"):
        call(url, "lobby", datetime(2026, 1, 31))
    for time in (-1, 10**15):
        with pytest.raises(ValueError, match="use Unix milliseconds"):
            call(url, "lobby", None, time)


async def test_both_clients_read_episodes_and_minutes(client: redis.Redis, redis_url: str) -> None:
    write_episodes(client, "1-0")
    write_minutes(client, *day(minutes=2))
    async with AsyncClient(redis_url) as streams:
        async with aclosing(streams.subscribe_episodes(after="start")) as episodes:
            assert (await anext(episodes)).entry_id == "1-0"
        assert [each.entry_id async for each in streams.read_episodes("lobby")] == ["1-0"]
        assert [each async for each in streams.read_minutes("lobby")] == day(minutes=2)
    with Client(redis_url) as blocking:
        assert ids(blocking.subscribe_episodes("lobby", after="start"), 1) == ["1-0"]
        assert ids(blocking.read_episodes("lobby", 0, 10), 5) == ["1-0"]
        assert list(blocking.read_minutes("lobby")) == day(minutes=2)


async def test_a_range_is_read_beside_a_running_event_loop_as_in_a_notebook(
    client: redis.Redis, redis_url: str
) -> None:
    write_minutes(client, *day(minutes=3))
    assert len(list(read_minutes(redis_url, "lobby"))) == 3
