"""One try with a number of cameras: how it is judged, and what it leaves on the server."""

import time
from dataclasses import replace

import pytest
import redis

from deploy.capacity.control import CAMERAS
from deploy.capacity.report import row
from deploy.capacity.store import Store
from deploy.capacity.tries import Try, limiting, percentile
from emotion_streams import connect_async, keys
from tests import samples
from tests.deploy.capacity_samples import HELD, IDLE, found_where, reported
from tests.servers import PATIENCE_S


@pytest.mark.parametrize(
    "bad",
    [
        replace(HELD, p99_ms=1001.0),
        replace(HELD, p99_ms=None),
        replace(HELD, owned=False),
        replace(HELD, expired_share=0.011),
        replace(HELD, stored_share=0.97),
        replace(HELD, stored=1000, ended=988),
    ],
)
def test_cameras_are_not_held_with_late_or_expired_or_missing_frames(bad: Try) -> None:
    assert HELD.held
    assert not bad.held


def test_a_frame_that_is_in_flight_at_the_end_counts_for_nothing() -> None:
    assert replace(HELD, stored=50, ended=49).held
    assert replace(HELD, stored=1000, ended=989).held


@pytest.mark.parametrize(
    ("over", "named"),
    [
        (replace(HELD, owned=False), "the workers: after 15 s some cameras had no owner"),
        (replace(HELD, owned=False, usage=replace(IDLE, machine=0.95)), "the cores"),
        (replace(HELD, stored_share=0.5), "the load generator"),
        (replace(HELD, usage=replace(IDLE, server_cores=0.95)), "the server"),
        (
            replace(HELD, usage=replace(IDLE, machine=0.95)),
            "the cores (engine 40%, threads 30% busy)",
        ),
        (replace(HELD, usage=replace(IDLE, loop=0.95)), "the event loop"),
        (replace(HELD, usage=replace(IDLE, engine=0.95)), "the engine"),
        (replace(HELD, usage=replace(IDLE, threads=0.95)), "the threads"),
        (
            replace(HELD, usage=replace(IDLE, detector=0.95)),
            "the detector of a worker (engine 40%, threads 30%, detector 95% busy)",
        ),
        (replace(HELD, ended=90), "more frames than end"),
        (HELD, "the time that a frame takes"),
    ],
)
def test_the_limiting_part_is_named(over: Try, named: str) -> None:
    assert limiting(over).startswith(named)


async def test_other_processes_that_were_busy_in_the_try_that_failed_are_named() -> None:
    found = await found_where(lambda cameras: cameras <= 11)
    assert found.over is not None
    assert "Other processes" not in reported(found)
    disturbed = replace(found.over, usage=replace(IDLE, other_cores=0.5))
    assert "Other processes used 0.5 of 2 cores" in reported(replace(found, over=disturbed))


def test_a_row_says_why_a_number_of_cameras_is_too_many() -> None:
    assert row(HELD).endswith("held")
    assert row(replace(HELD, p99_ms=2000)).endswith("too many")
    assert row(replace(HELD, ended=90)).endswith("too many: frames pile up")
    assert row(replace(HELD, owned=False)).endswith("too many: some have no owner")


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([], 0.99) is None
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([float(n) for n in range(1, 101)], 0.99) == 99.0
    assert percentile([2.0, 1.0], 0.5) == 1.0


async def test_a_try_that_no_worker_owns_in_time_is_noticed(
    redis_url: str, client: redis.Redis
) -> None:
    client.hset(keys.lease("a"), "expires_ms", int(time.time() * 1000 + 60_000))
    async with connect_async(redis_url) as connection:
        store = Store(connection)
        assert await store.owned(["a"], within_s=0.1)
        assert not await store.owned(["a", "b"], within_s=0.1)


async def test_cameras_of_earlier_tries_are_no_longer_registered(
    redis_url: str, client: redis.Redis
) -> None:
    client.zadd(keys.CAMERAS, {"camera0": 1.0, "camera1": 1.0, "camera2": 1.0})
    async with connect_async(redis_url) as connection:
        await Store(connection).load(["camera0"])
    assert client.zrange(keys.CAMERAS, 0, -1) == [b"camera0"]
    assert client.get(CAMERAS) == b"1"


async def test_nothing_of_a_try_is_left_for_the_next_one(
    redis_url: str, client: redis.Redis
) -> None:
    stream = keys.frames("camera0")
    client.xgroup_create(stream, keys.GROUP, id="0", mkstream=True)
    read = client.xadd(stream, {"frame": b"read"})
    client.xreadgroup(keys.GROUP, "worker", {stream: ">"})
    for _ in range(20):
        client.xadd(stream, {"frame": b"queued"})
    async with connect_async(redis_url) as connection:
        store = Store(connection)
        assert not await store.drained(["camera0"], within_s=0.5)
        client.xack(stream, keys.GROUP, read)
        assert await store.drained(["camera0"], within_s=PATIENCE_S)
    assert client.xlen(stream) == 0


async def test_a_try_has_the_events_between_its_moments_also_of_cameras_without_any(
    redis_url: str, client: redis.Redis
) -> None:
    def publish(frame_id: str) -> None:
        packed = samples.event("camera0", frame_id).pack()
        client.xadd(keys.emotions("camera0"), {"event": packed}, id=frame_id)

    names = ["camera0", "camera1"]
    async with connect_async(redis_url) as connection:
        store = Store(connection)
        publish("1700000000000-0")
        before = await store.newest(names)
        publish("1700000000200-1")
        after = await store.newest(names)
        publish("1700000000400-2")
        events = await store.events(before, after)
    assert [event.frame_id for event in events] == ["1700000000200-1"]
