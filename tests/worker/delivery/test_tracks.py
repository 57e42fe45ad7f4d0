"""Tracks, episodes and minutes on their way to Redis, over takeovers, damage and silence."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from prometheus_client import CollectorRegistry

from emotion_streams import EndReason, Episode, EpisodeType, Minute, keys
from emotion_streams.connection import connect_async
from emotion_streams.events import EmotionEvent
from tests import samples
from tests.servers import PATIENCE_S
from tests.worker.stubs import stub_context, until
from worker.delivery import camera as delivery
from worker.delivery.camera import CameraPipeline
from worker.delivery.stream import CameraStream
from worker.delivery.types import Retention
from worker.ownership.lease import Leases

CAMERA = "lobby"
ENTERED, LEFT = EpisodeType.FACE_ENTERED, EpisodeType.FACE_LEFT


@asynccontextmanager
async def worker(
    url: str, name: str, registry: CollectorRegistry | None = None
) -> AsyncIterator[CameraPipeline]:
    """A worker that owns the camera until the block ends, then stops without releasing it."""
    connection = connect_async(url)
    await connection.hset(keys.lease(CAMERA), "expires_ms", 0)
    lease = await Leases(connection, name).acquire(CAMERA)
    assert lease
    with stub_context(registry=registry) as context:
        pipeline = CameraPipeline(CameraStream(connection, lease, Retention()), context)
        tasks = [asyncio.create_task(context.pipeline.run()), asyncio.create_task(pipeline.run())]
        try:
            yield pipeline
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await connection.aclose()


class Film:
    """Frames of one person, 100 ms apart, stored one after the other.

    Those of a recording if `started_ms`, its beginning, is given.
    """

    def __init__(self, client: redis.Redis, ago_ms: int = 0, started_ms: int | None = None) -> None:
        self.client = client
        self.started_ms = started_ms
        self.at_ms = started_ms or int(time.time() * 1000) - ago_ms
        self.seq = self.lost = 0

    async def show(self, frames: int) -> None:
        """Store frames, and wait until their events are there."""
        for _ in range(frames):
            place = None if self.started_ms is None else self.at_ms - self.started_ms
            frame = samples.frame(self.at_ms, self.seq, jpeg=b"face", position_ms=place)
            self.client.xadd(keys.frames(CAMERA), {"frame": frame.pack()}, id=f"{self.at_ms}-0")
            self.at_ms += 100
            self.seq += 1
        await until(lambda: len(events(self.client)) == self.seq - self.lost)


def events(client: redis.Redis) -> list[EmotionEvent]:
    entries: Any = client.xrange(keys.emotions(CAMERA))
    return [EmotionEvent.unpack(fields[b"event"]) for _, fields in entries]


def episodes(client: redis.Redis) -> list[Episode]:
    entries: Any = client.xrange(keys.episodes(CAMERA))
    return [Episode.unpack(fields[b"episode"]) for _, fields in entries]


def minutes(client: redis.Redis) -> list[Minute]:
    entries: Any = client.xrange(keys.minutes(CAMERA))
    return [Minute.unpack(fields[b"minute"]) for _, fields in entries]


def faces(client: redis.Redis) -> list[Episode]:
    return [each for each in episodes(client) if each.type in (ENTERED, LEFT)]


async def test_a_person_has_one_track_from_the_second_frame_on(
    redis_url: str, client: redis.Redis
) -> None:
    async with worker(redis_url, "one"):
        await Film(client).show(6)
    first, *others = [event.faces[0].track for event in events(client)]
    assert first is None
    assert set(others) == {f"{events(client)[0].frame_id}.0"}
    (entered,) = faces(client)
    assert (entered.type, entered.track) == (ENTERED, others[0])
    assert entered.frame_id == events(client)[1].frame_id


async def test_the_next_owner_continues_with_the_same_track(
    redis_url: str, client: redis.Redis
) -> None:
    film = Film(client)
    async with worker(redis_url, "one"):
        await film.show(5)
    async with worker(redis_url, "two"):
        await film.show(5)
    assert len({event.faces[0].track for event in events(client)[1:]}) == 1
    assert [each.type for each in faces(client)] == [ENTERED]


async def test_a_silent_camera_has_its_tracks_closed_by_its_owner_when_last_seen(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = Film(client)
    async with worker(redis_url, "one"):
        await film.show(5)
        monkeypatch.setattr(delivery, "SILENCE_S", 0.3)
        await until(lambda: len(faces(client)) == 2)
        left = faces(client)[1]
        assert (left.type, left.reason) == (LEFT, EndReason.CAMERA_DOWN)
        assert left.end_ms == film.at_ms - 100
        monkeypatch.setattr(delivery, "SILENCE_S", PATIENCE_S)
        await film.show(2)  # who comes back is another track
        await until(lambda: len(faces(client)) == 3)
    entered = faces(client)[2]
    assert entered.track != left.track


async def test_a_camera_whose_frames_cannot_be_analysed_has_its_tracks_closed(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = Film(client)
    async with worker(redis_url, "one"):
        await film.show(5)
        monkeypatch.setattr(delivery, "SILENCE_S", 0.5)

        def has_left() -> bool:
            film.at_ms += 100
            client.xadd(keys.frames(CAMERA), {"frame": b"damaged"}, id=f"{film.at_ms}-0")
            return len(faces(client)) == 2

        await until(has_left)
        assert (faces(client)[1].type, faces(client)[1].reason) == (LEFT, EndReason.CAMERA_DOWN)
        monkeypatch.setattr(delivery, "SILENCE_S", PATIENCE_S)
        film.at_ms += 2_000
        await film.show(2)
        await until(lambda: len(faces(client)) == 3)


async def test_a_recording_that_is_held_up_keeps_its_tracks_until_it_has_ended(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SILENCE_S", 0.3)
    film = Film(client, started_ms=int(time.time() * 1000) - 3_600_000)
    client.hset(keys.camera_info(CAMERA), mapping={"policy": "every", "state": "up"})
    async with worker(redis_url, "one"):
        await film.show(5)
        await asyncio.sleep(1)
        assert [each.type for each in faces(client)] == [ENTERED]
        await film.show(5)
        client.hset(keys.camera_info(CAMERA), "state", "ended")
        await until(lambda: client.hget(keys.tracks(CAMERA), "open") == b"0")
    (_, left) = faces(client)
    assert (left.start_position_ms, left.end_position_ms) == (0, 900)
    assert {event.faces[0].track for event in events(client)[1:]} == {left.track}


async def test_a_crashed_owners_tracks_are_closed_by_the_next_although_no_frame_comes(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker(redis_url, "one"):
        await Film(client).show(5)
    monkeypatch.setattr(delivery, "SILENCE_S", 0.3)
    assert client.hget(keys.tracks(CAMERA), "open") == b"1"
    async with worker(redis_url, "two"):
        await until(lambda: [each.type for each in faces(client)] == [ENTERED, LEFT])


async def test_the_minute_is_closed_while_nothing_comes_and_no_owner_is_needed_then(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = Film(client, ago_ms=130_000)
    async with worker(redis_url, "one"):
        await film.show(5)
        monkeypatch.setattr(delivery, "SILENCE_S", 0.3)
        await until(lambda: client.hget(keys.tracks(CAMERA), "open") == b"0")
    assert sum(minute.frames for minute in minutes(client)) == 5
    people = [minute.people for minute in minutes(client) if minute.people]
    assert sum(each.entered for each in people) == sum(each.left for each in people) == 1
    assert client.ttl(keys.minutes(CAMERA)) > 29 * 86_400


async def test_the_state_of_a_silent_camera_that_cannot_be_read_is_replaced_once(
    redis_url: str, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a return to an older version: no frame comes that would replace it."""
    async with worker(redis_url, "one"):
        await Film(client).show(3)
    client.hset(keys.tracks(CAMERA), "state", b"nonsense")
    for name in ("two", "three"):
        async with worker(redis_url, name):
            await until(lambda: client.hget(keys.tracks(CAMERA), "open") == b"0")
    warnings = [each for each in caplog.records if "tracks are discarded" in each.message]
    assert len(warnings) == 1


@pytest.mark.parametrize("state", [b"nonsense", b"\x81\xa6schema\xcd\x03\xe7"])
async def test_a_state_that_cannot_be_read_is_replaced_and_its_tracks_are_counted_as_discarded(
    redis_url: str, client: redis.Redis, caplog: pytest.LogCaptureFixture, state: bytes
) -> None:
    film = Film(client)
    async with worker(redis_url, "one"):
        await film.show(3)
    client.hset(keys.tracks(CAMERA), "state", state)
    registry = CollectorRegistry()
    async with worker(redis_url, "two", registry):
        await film.show(3)
    tracks = [event.faces[0].track for event in events(client)]
    assert tracks[2] not in (None, tracks[5])
    assert tracks[5] is not None
    assert tracks[5] != tracks[2]
    warnings = [each for each in caplog.records if "tracks are discarded" in each.message]
    assert len(warnings) == 1
    assert warnings[0].message.startswith("1 tracks")
    labels = {"camera": CAMERA, "outcome": "discarded"}
    assert registry.get_sample_value("emotion_tracks_total", labels) == 1


async def test_a_key_of_another_type_is_reset_and_tracking_restarts(
    redis_url: str, client: redis.Redis
) -> None:
    for key in (keys.tracks, keys.episodes, keys.minutes):
        client.set(key(CAMERA), "text")
    async with worker(redis_url, "one"):
        await Film(client).show(3)
        await until(lambda: len(faces(client)) == 1)


async def test_a_state_that_another_hand_replaced_is_continued_from_and_not_overwritten(
    redis_url: str, client: redis.Redis
) -> None:
    """A failover may roll back the last commits: starts without an end would be left."""
    film = Film(client)
    async with worker(redis_url, "one"):
        await film.show(1)
        before = client.hgetall(keys.tracks(CAMERA))
        await film.show(1)
        assert len(faces(client)) == 1
        client.hset(keys.tracks(CAMERA), mapping=before)  # type: ignore[arg-type]
        client.delete(keys.episodes(CAMERA))
        await film.show(1)  # finds another version than its own, and loads it
        await film.show(2)
        await until(lambda: len(faces(client)) == 1)
    assert faces(client)[0].type == ENTERED


async def test_frames_of_a_session_without_an_event_are_lost_frames_of_their_minute(
    redis_url: str, client: redis.Redis
) -> None:
    film = Film(client, ago_ms=130_000)
    film.at_ms = film.at_ms // 60_000 * 60_000 + 10_000  # all of one minute
    async with worker(redis_url, "one"):
        await film.show(2)
        film.seq += 2
        film.lost += 2
        await film.show(2)
        film.at_ms += 60_000
        await film.show(1)
    assert minutes(client)[0].frames_lost == 2
